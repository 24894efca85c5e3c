/** What is remembered of a subnet's list: when it is read, and what is decided by it; on a clock of the test's. What Neutron says to it: driver-many.openstack.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { needsFresh } from '../../src/cloud/openstack/decide.ts';
import type { Port } from '../../src/cloud/openstack/port.ts';
import { missingOf, roomOf } from '../../src/cloud/openstack/room.ts';
import { type Decided, type Seen, seenOf, type Sight } from '../../src/cloud/openstack/seen.ts';
import type { Task } from '../../src/cloud/openstack/session.ts';
import type { Subnet } from '../../src/cloud/openstack/subnet.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { parseIp } from '../../src/net/address.ts';
import { type Cidr, hostCidr, parseCidr } from '../../src/net/cidr.ts';
import { parseMac } from '../../src/net/mac.ts';

const subnet: Subnet = {
  id: 'a0000000-0000-4000-8000-000000000001' as SubnetId,
  network: 'b0000000-0000-4000-8000-000000000001',
  cidr: parseCidr('10.20.0.0/24'),
  pools: [],
  serviceTypes: [],
};
const call = (): Task => ({ asked: { cloud: 'openstack', call: 'assign', object: 'a NIC' }, left_ms: () => 1000 });
const ips = [5, 6, 7, 8].map((n) => parseIp(`10.20.0.${n}`));
const blocks = ips.map(hostCidr);

const portWith = (n: number): Port => ({
  id: `d0000000-0000-4000-8000-00000000000${n}` as NicId,
  name: '',
  network: subnet.network,
  mac: parseMac(`fa:16:3e:00:00:0${n}`),
  status: 'DOWN',
  device: '',
  owner: '',
  fixed: ips.slice(n, n + 1).map((ip) => ({ subnet: subnet.id, ip })),
  pairs: [],
  groups: [],
  isGuarded: true,
  words: [],
  revision: 1,
  createdAt_ms: 0,
});

/** A Neutron whose ports the test sets, and its clock. */
interface Desk {
  readonly seen: Seen;
  held: number[];
  now_ms: number;
  lists: number;
  /** Whether lists wait for `answer`. */
  answer: Promise<void>;
}

function desk(): Desk {
  const it: Desk = {
    held: [0],
    now_ms: 1_000_000,
    lists: 0,
    answer: Promise.resolve(),
    seen: seenOf(
      {
        async ports() {
          it.lists++;
          const ports = it.held.map(portWith);
          it.now_ms += 1;
          await it.answer;
          return ports;
        },
      },
      () => it.now_ms,
    ),
  };
  return it;
}

/** The first that is neither held nor claimed. @throws Error when there is none */
function first({ occupied, claimed }: Sight): Decided {
  const found = blocks.find((block) => !occupied.some((one) => one.block === block) && !claimed.includes(block));
  if (found === undefined) throw new Error('full');
  return { takes: [found] };
}

/** By a call that has ended. */
async function choice({ seen }: Desk, isFresh = false): Promise<readonly Cidr[]> {
  const task = call();
  const { decided } = await seen.decide([subnet], { task, isFresh }, first);
  seen.over(task);
  return decided.takes;
}

test('calls that look at one list choose different things, and one of them reads it for all', async () => {
  const it = desk();
  const chosen = await Promise.all([choice(it), choice(it), choice(it)]);
  assert.deepEqual(chosen.flat(), blocks.slice(1));
  assert.equal(it.lists, 1);
});

test('a list is read again after a minute, and for whoever was refused what it allowed', async () => {
  const it = desk();
  assert.deepEqual(await choice(it), [blocks[1]]);
  it.now_ms += 50_000;
  assert.deepEqual(await choice(it), [blocks[2]]);
  assert.equal(it.lists, 1);
  it.held = [0, 1];
  it.now_ms += 1;
  assert.deepEqual(await choice(it, true), [blocks[2]]);
  assert.equal(it.lists, 2);
  it.now_ms += 61_000;
  assert.deepEqual(await choice(it), [blocks[2]], 'what was claimed and is not held in the end is free');
  assert.equal(it.lists, 3);
});

test('nothing is refused by an older list, and what a newer one refuses is not asked about again', async () => {
  const it = desk();
  it.held = [0, 1, 2, 3];
  await assert.rejects(choice(it), /full/);
  assert.equal(it.lists, 1);
  it.held = [0, 1, 3];
  it.now_ms += 1;
  assert.deepEqual(await choice(it), [blocks[2]]);
  assert.equal(it.lists, 2);
});

test('what was made or given back here is known without a list', async () => {
  const it = desk();
  assert.deepEqual(await choice(it), [blocks[1]]);
  it.seen.made([subnet], [portWith(2)]);
  assert.deepEqual(await choice(it), [blocks[3]]);
  it.seen.freed([subnet], blocks.slice(2, 3));
  assert.deepEqual(await choice(it), [blocks[2]]);
  assert.equal(it.lists, 1);
});

test('what is claimed while a list is on its way is not forgotten when it comes', async () => {
  const it = desk();
  assert.deepEqual(await choice(it), [blocks[1]]);
  const { promise, resolve } = Promise.withResolvers<void>();
  it.answer = promise;
  const late = choice(it, true);
  it.now_ms += 1;
  // Goes on by the older list.
  assert.deepEqual(await choice(it), [blocks[2]]);
  resolve();
  assert.deepEqual(await late, [blocks[1]], 'claimed before the list was asked for, and not in it');
  assert.deepEqual(await choice(it), [blocks[3]]);
  assert.equal(it.lists, 2);
});

test('what a call is about to have stays claimed, whatever lists are read, until the call has ended', async () => {
  const it = desk();
  const task = call();
  const slow = await it.seen.decide([subnet], { task, isFresh: true }, first);
  assert.deepEqual(slow.decided.takes, [blocks[1]]);
  it.now_ms += 1;
  assert.deepEqual(await choice(it, true), [blocks[2]], 'the list is newer than the claim, and Neutron was not asked for it yet');
  it.now_ms += 1;
  const others: (readonly Cidr[])[] = [];
  const noted = (sight: Sight): Decided => {
    others.push(sight.claimedByOthers);
    return { takes: [] };
  };
  await it.seen.decide([subnet], { task: call(), isFresh: true }, noted);
  it.now_ms += 1;
  await it.seen.decide([subnet], { task, isFresh: true }, noted);
  assert.deepEqual(others, [[blocks[1]], []], 'to the call itself it is no other’s');
  it.seen.over(task);
  it.now_ms += 1;
  assert.deepEqual(await choice(it, true), [blocks[1]]);
});

test('an address of IPv6 and a /80 around it are not both given, though Neutron would', () => {
  const six: Subnet = { ...subnet, cidr: parseCidr('2001:db8::/64') };
  const [one, block] = [parseCidr('2001:db8::1:0:0:5/128'), parseCidr('2001:db8:0:0:1::/80')];
  const lengths = { 4: [32], 6: [128, 80] };
  const missing = (these: Cidr[], claimed: Cidr[]): Cidr[] =>
    missingOf(these, roomOf([six], [], { shunned: [], claimed }), lengths, { endpoint: 'neutron', ...call().asked });
  const isConflict = (error: unknown): boolean =>
    isFailure(error, 'cloudConflict') && error.details.includes('another call is about to have');
  assert.throws(() => missing([one], [block]), isConflict);
  assert.throws(() => missing([block], [one]), isConflict);
  assert.deepEqual(missing([one], [parseCidr('2001:db8:0:0:2::/80')]), [one]);
  const isFresh = (these: readonly Cidr[]): boolean => needsFresh({ these });
  assert.deepEqual([isFresh([one]), isFresh([block]), isFresh(blocks)], [true, true, false], 'and no older list is gone by');
});
