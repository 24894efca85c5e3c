/** The next request of Octavia, from what is wanted and what is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { SubnetId } from '../../src/cloud/cloud.ts';
import type { WantedListener } from '../../src/cloud/load-balancers.ts';
import type { Member } from '../../src/cloud/openstack/octavia/objects.ts';
import { type Change, nextChange, type Whole } from '../../src/cloud/openstack/octavia/plan.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseCidr } from '../../src/net/cidr.ts';

const balancing = { algorithm: 'ROUND_ROBIN', monitor: true } as const;
const member = (last: number, port = 8080) => ({ address: parseIp(`10.20.0.${last}`), port });
const placed = (last: number) => ({ ...member(last), subnet: 's1' as SubnetId }); // an id of the test's own
const want = (more: Partial<WantedListener> = {}): WantedListener => ({
  transport: 'TCP',
  port: 80,
  sources: [],
  members: [member(1)],
  ...more,
});

/** An Octavia that carries out one request, as its reference says. It keeps no books that the plan could share a mistake with: requests are read anew. */
function carriedOut(is: Whole, { request: { method, path, body } }: Change, id: string): Whole {
  const [, kind = '', which = '', part] = path.split('/');
  // What the plan has put into it, by the API's own names.
  const fields = Object.values(body ?? {})[0] as Record<string, unknown> & { members?: unknown };
  const others = <T extends { readonly id: string }>(list: readonly T[]): T[] => list.filter((one) => one.id !== which);
  if (kind === 'pools') {
    const pool = is.pools.find((one) => one.id === which);
    if (part === 'members') {
      const members = (body as { members: { address: string; protocol_port: number; subnet_id?: string }[] }).members;
      // One that is there keeps the subnet it was made with.
      const made = members.map(({ address, protocol_port: port, subnet_id: subnet }): Member => {
        const there = pool?.members.find((one) => one.address === address && one.port === port);
        return there ?? { address: parseIp(address), port, ...(subnet !== undefined && { subnet }) };
      });
      return { ...is, pools: is.pools.map((one) => (one.id === which ? { ...one, members: made } : one)) };
    }
    if (method === 'DELETE') {
      assert.ok(!is.listeners.some((one) => one.pool === which), 'a pool in use is not deleted');
      return { ...is, pools: others(is.pools) };
    }
    const persistence = fields['session_persistence'] as { type: string; persistence_timeout?: number } | null | undefined;
    const { persistence: before, ...rest } = pool ?? { id, name: String(fields['name']), members: [] };
    const now =
      persistence === undefined
        ? before
        : persistence === null
          ? undefined
          : {
              type: persistence.type,
              ...(persistence.persistence_timeout !== undefined && { timeout_s: persistence.persistence_timeout }),
            };
    const made = { ...rest, algorithm: String(fields['lb_algorithm']), ...(now !== undefined && { persistence: now }) };
    return { ...is, pools: [...others(is.pools), made] };
  }
  if (kind === 'healthmonitors') {
    const on = method === 'POST' ? String(fields['pool_id']) : is.pools.find(({ monitor }) => monitor === which)?.id;
    const pools = is.pools.map(({ monitor, ...one }) =>
      one.id !== on ? { ...one, ...(monitor !== undefined && { monitor }) } : { ...one, ...(method === 'POST' && { monitor: id }) },
    );
    return { ...is, pools };
  }
  assert.equal(kind, 'listeners');
  if (method === 'DELETE') return { ...is, listeners: others(is.listeners) };
  const sources = ((fields['allowed_cidrs'] ?? []) as string[]).map(parseCidr);
  const before = is.listeners.find((one) => one.id === which) ?? {
    id,
    protocol: String(fields['protocol']),
    port: Number(fields['protocol_port']),
  };
  const pool = String(fields['default_pool_id']);
  assert.ok(
    is.pools.some((one) => one.id === pool),
    'a listener is given a pool that is there',
  );
  return { ...is, listeners: [...others(is.listeners), { ...before, pool, sources }] };
}

/** All requests until nothing is to be done. */
function steps(
  wanted: readonly WantedListener[],
  from: Whole,
  how = balancing as { algorithm: 'ROUND_ROBIN' | 'SOURCE_IP'; monitor: boolean },
): { texts: string[]; end: Whole } {
  const texts: string[] = [];
  let is = from;
  for (let n = 0; n < 100; n++) {
    const next = nextChange(wanted, is, how);
    if (next === undefined) return { texts, end: is };
    texts.push(next.text);
    is = carriedOut(is, next, `made-${texts.length}`);
  }
  throw new Error(`no end: ${texts.slice(0, 12).join(', ')}`);
}

const nothing: Whole = { id: 'lb', listeners: [], pools: [] };

test('a new port is listened on only when its pool has its members and its monitor', () => {
  assert.deepEqual(steps([want()], nothing).texts, [
    'makes pool tcp-80',
    'gives tcp-80 1 members',
    'makes a monitor for tcp-80',
    'listens on tcp-80',
  ]);
});

test('Pods that come and go are one request, before anything else', () => {
  const { end } = steps([want()], nothing);
  const wanted = [want({ members: [member(2), member(3)], sources: [parseCidr('192.0.2.0/24')] }), want({ port: 81 })];
  assert.equal(nextChange(wanted, end, balancing)?.text, 'gives tcp-80 2 members');
  assert.deepEqual(nextChange([want({ members: [] })], end, balancing)?.request.body, { members: [] });
});

test('members that were made before anybody knew their subnet are made anew, half of them at a time; those of no subnet stay as they are', () => {
  const node = member(9);
  const { end } = steps([want({ members: [node, ...[1, 2, 3].map((last) => member(last))] })], nothing);
  const known = [want({ members: [node, ...[1, 2, 3].map(placed)] })];
  const { texts, end: mended } = steps(known, end);
  const sizes = texts.map((text) => Number(/(\d+) members/.exec(text)?.[1]));
  assert.deepEqual(sizes, [2, 4, 3, 4]);
  assert.deepEqual(mended.pools[0]?.members, known[0]?.members);
  // What it was told before is not doubted: it may be another name of the same.
  assert.deepEqual(steps([want({ members: [member(1)] })], steps([want({ members: [placed(1)] })], nothing).end).texts, []);
});

test('the only member of a pool stays as it was made, and is made anew once another is beside it', () => {
  const { end } = steps([want({ members: [member(1)] })], nothing);
  const alone = steps([want({ members: [placed(1)] })], end);
  assert.deepEqual([alone.texts, alone.end.pools[0]?.members], [[], [member(1)]]);
  const { texts, end: mended } = steps([want({ members: [placed(1), placed(2)] })], alone.end);
  assert.deepEqual(texts, ['gives tcp-80 2 members', 'gives tcp-80 1 members', 'gives tcp-80 2 members']);
  assert.deepEqual(
    mended.pools[0]?.members.toSorted((a, b) => a.address.localeCompare(b.address)),
    [placed(1), placed(2)],
  );
});

test('whichever members were made before anybody knew their subnet: no request takes the last away of those that are wanted', () => {
  const one = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.boolean()).map(([last, isKnown]) => (isKnown ? placed(last) : member(last)));
  const some = fc.uniqueArray(one, { selector: ({ address }) => address });
  fc.assert(
    fc.property(some, some, (before, wanted) => {
      const listeners = [want({ members: wanted })];
      let is = steps([want({ members: before })], nothing).end;
      const served = (): Set<string> => new Set(is.pools.flatMap(({ members }) => members.map(({ address }) => address)));
      for (let change = nextChange(listeners, is, balancing), n = 0; change !== undefined; change = nextChange(listeners, is, balancing)) {
        assert.ok(n++ < 20, 'it comes to an end');
        const last = served();
        is = carriedOut(is, change, 'none is made');
        const stays = served().intersection(last);
        if (wanted.some(({ address }) => last.has(address))) assert.ok(stays.size > 0, `${change.text}: nobody serves`);
      }
    }),
    { numRuns: 1000 },
  );
});

test('a port that is not wanted any more is closed before its pool goes, and a pool that a lost answer left goes too', () => {
  const { end } = steps([want(), want({ transport: 'UDP', port: 53 })], nothing);
  assert.deepEqual(steps([want()], end).texts, ['listens no more on udp-53', 'deletes pool udp-53']);
  const [pool] = end.pools;
  assert.ok(pool);
  const twice = { ...end, pools: [...end.pools, { ...pool, id: 'second', members: [] }] };
  assert.deepEqual(steps([want(), want({ transport: 'UDP', port: 53 })], twice).texts, ['deletes pool tcp-80']);
});

test('for TCP the affinity has no time, which Octavia refuses there; for UDP it has', () => {
  const affinity = { timeout_s: 60 };
  const body = (transport: 'TCP' | 'UDP'): string =>
    JSON.stringify(nextChange([want({ transport, affinity })], nothing, balancing)?.request.body);
  assert.match(body('TCP'), /"session_persistence":\{"type":"SOURCE_IP"\}/);
  assert.match(body('UDP'), /"session_persistence":\{"type":"SOURCE_IP","persistence_timeout":60\}/);
});

test('whatever there is and whatever is wanted: the requests come to an end, all is as it is wanted then, and the order is one that Octavia accepts', () => {
  const listener = fc.record({
    transport: fc.constantFrom('TCP' as const, 'UDP' as const, 'SCTP' as const),
    port: fc.constantFrom(80, 81),
    sources: fc.uniqueArray(fc.constantFrom(parseCidr('192.0.2.0/24'), parseCidr('198.51.100.0/24'))),
    affinity: fc.option(fc.record({ timeout_s: fc.constantFrom(30, 60) }), { nil: undefined }),
    members: fc
      .record({ all: fc.uniqueArray(fc.integer({ min: 1, max: 4 })), isKnown: fc.boolean() })
      .map(({ all, isKnown }) => all.map((last) => (isKnown ? placed(last) : member(last)))),
  });
  const service = fc
    .uniqueArray(listener, { selector: ({ transport, port }) => `${transport}${port}`, maxLength: 5 })
    .map((all) => all.map(({ affinity, ...one }): WantedListener => ({ ...one, ...(affinity !== undefined && { affinity }) })));
  const how = fc.record({ algorithm: fc.constantFrom('ROUND_ROBIN' as const, 'SOURCE_IP' as const), monitor: fc.boolean() });
  fc.assert(
    fc.property(service, service, how, how, fc.nat(12), (before, wanted, first, second, stop) => {
      let half = nothing;
      for (let n = 0; n < stop; n++) {
        const next = nextChange(before, half, first);
        if (next === undefined) break;
        half = carriedOut(half, next, `old-${n}`);
      }
      const { end } = steps(wanted, half, second);
      const shown = end.listeners.map(({ protocol, port, sources, pool }) => {
        const its = end.pools.find(({ id }) => id === pool);
        return {
          protocol,
          port,
          sources: sources.toSorted(),
          members: its?.members.map(({ address }) => address).toSorted(),
          sticky: its?.persistence !== undefined,
          watched: its?.monitor !== undefined,
        };
      });
      const asked = wanted.map(({ transport, port, sources, members, affinity }) => ({
        protocol: transport,
        port,
        sources: sources.toSorted(),
        members: members.map(({ address }) => address).toSorted(),
        sticky: affinity !== undefined,
        watched: second.monitor,
      }));
      const order = (all: typeof asked): string[] => all.map((one) => JSON.stringify(one)).toSorted();
      assert.deepEqual(order(shown as typeof asked), order(asked)); // every listener has a pool, or the members would differ
      assert.equal(end.pools.length, wanted.length);
      // One that is alone stays as it was made.
      const several = end.pools.filter(({ members }) => members.length > 1);
      const unplaced = several.flatMap(({ name, members }) => members.flatMap((one) => (one.subnet === undefined ? [name] : [])));
      const unknown = wanted.filter(({ members }) => members.some((one) => one.subnet === undefined));
      assert.ok(unplaced.every((name) => unknown.some(({ transport, port }) => name === `${transport.toLowerCase()}-${port}`)));
    }),
  );
});
