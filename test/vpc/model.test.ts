/** The rules of the model, as properties over many random histories. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { calls } from '../../src/vpc/calls/all.ts';
import { type Change, PartlyDone } from '../../src/vpc/calls/call.ts';
import { newDefaultGroup } from '../../src/vpc/calls/groups.ts';
import { blocksOf, free4, slotsOf } from '../../src/vpc/model/addresses.ts';
import { limitsOf } from '../../src/vpc/model/find.ts';
import { type Disk, Model } from '../../src/vpc/model/model.ts';
import { Refusal } from '../../src/vpc/model/refusal.ts';
import {
  type Cidr,
  parseCidr,
  addressAt,
  cidrFamily,
  cidrOf,
  contains,
  containsCidr,
  firstOf,
  overlaps,
  sizeOf,
} from '../../src/net/cidr.ts';
import { macFromBytes } from '../../src/net/mac.ts';
import { gatewayMac, isInterchangeable, nicMac } from '../../src/vpc/mac.ts';

const noDisk: Disk = { load: () => [], write: () => {}, close: () => {} };

function newModel(): Model {
  const model = new Model(noDisk, () => 1_000);
  model.transaction((transaction) => {
    transaction.put('network', {
      id: 'vpc-1',
      name: 'm',
      cidrs: [parseCidr('10.20.0.0/16'), parseCidr('2001:db8:20::/56')],
      mtu: 1500,
      tags: {},
    });
    transaction.put('group', newDefaultGroup());
    transaction.put('type', { id: 't', limits: { nics: 3, addressSlotsPerNic: 5, ipv6SlotsPerNic: 3 } });
  });
  return model;
}

/** Runs a changing call; undefined when it was refused. */
function run(model: Model, name: string, id: string, body: unknown): { body?: { id?: string; blocks?: string[] } } | undefined {
  const call = calls.find((one): one is Change => one.name === name && one.does === 'change');
  assert.ok(call, name);
  try {
    const parsed = call.body === undefined ? undefined : call.body.parse(body);
    return model.transaction((transaction) => call.run(transaction, { id, body: parsed, query: undefined }, {})) as {
      body?: { id?: string };
    };
  } catch (error) {
    if (error instanceof Refusal && !(error instanceof PartlyDone)) return undefined;
    throw error;
  }
}

function checkInvariants(model: Model): void {
  const { state } = model;
  for (const subnet of state.subnet.values()) {
    const nics = [...state.nic.values()].filter((nic) => nic.subnet === subnet.id);
    const blocks = nics.flatMap(blocksOf);
    for (const [i, a] of blocks.entries()) {
      for (const b of blocks.slice(i + 1)) assert.ok(!overlaps(a, b), `${a} and ${b} are both given`);
      const cidr = cidrFamily(a) === 4 ? subnet.cidr4 : subnet.cidr6;
      assert.ok(cidr !== undefined && containsCidr(cidr, a), `${a} is outside of its subnet`);
      for (const reserved of [0, 1, 2, 3, sizeOf(cidr) - 1n])
        assert.ok(!contains(a, addressAt(cidr, reserved)), `${a} holds a reserved address`);
      assert.equal(firstOf(a), firstOf(parseCidr(a)), 'prefixes are aligned');
    }
    const used = blocks.filter((block) => cidrFamily(block) === 4).reduce((sum, block) => sum + Number(sizeOf(block)), 0);
    if (subnet.cidr4 !== undefined) assert.equal(free4(state, subnet), Number(sizeOf(subnet.cidr4)) - 5 - used);
  }
  for (const instance of state.instance.values()) {
    const nics = [...state.nic.values()].filter(({ attachment }) => attachment?.instance === instance.id);
    const limits = limitsOf(state, instance);
    assert.ok(nics.length <= limits.nics);
    assert.equal(new Set(nics.map(({ attachment }) => attachment?.deviceIndex)).size, nics.length, 'one NIC an index');
    for (const nic of nics) {
      assert.ok(slotsOf(nic, 4) <= limits.addressSlotsPerNic && slotsOf(nic, 6) <= limits.ipv6SlotsPerNic, 'slots are never exceeded');
      assert.equal(state.subnet.get(nic.subnet)?.zone, instance.zone);
    }
  }
  const macs = [...state.nic.values()].map(({ mac }) => mac);
  assert.equal(new Set(macs).size, macs.length, 'no Ethernet address twice');
}

const step = fc.record({
  what: fc.constantFrom('create', 'create', 'launch', 'assign', 'assign', 'unassign', 'attach', 'detach', 'delete', 'terminate'),
  pick: fc.nat(1000),
  addresses4: fc.nat(4),
  prefixes4: fc.nat(2),
  prefixes6: fc.nat(2),
  these: fc.array(fc.oneof(givenBlock('10.20.0.0/25', [32, 28]), givenBlock('2001:db8:20::/73', [128, 80])), { maxLength: 2 }),
});

/** A block of one of those lengths in that room: free, taken, reserved or (for a small subnet) outside. */
function givenBlock(room: string, lengths: readonly number[]): fc.Arbitrary<Cidr> {
  const all = parseCidr(room);
  // Of the many addresses of an IPv6 block those that meet others: the lowest, and the first of each /80.
  const offset =
    cidrFamily(all) === 4
      ? fc.nat(127)
      : fc.oneof(
          fc.nat(20),
          fc.nat(5).map((n) => BigInt(n) << 48n),
        );
  return fc.tuple(offset, fc.constantFrom(...lengths)).map(([at, length]) => cidrOf(addressAt(all, at), length));
}

/** The blocks without those that share addresses with an earlier one: a request with such is malformed. */
function apart(blocks: readonly Cidr[]): Cidr[] {
  return blocks.filter((block, i) => !blocks.slice(0, i).some((earlier) => overlaps(block, earlier)));
}

test('whatever is called in whatever order, no address is given twice, no slot exceeded, nothing reserved given away', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const model = newModel();
      const subnets = [
        run(model, 'CreateSubnet', '', { name: 'a', zone: 'z1', cidr4: '10.20.0.0/26', cidr6: '2001:db8:20::/64' }),
        run(model, 'CreateSubnet', '', { name: 'b', zone: 'z2', cidr4: '10.20.1.0/28' }),
        run(model, 'CreateSubnet', '', { name: 'c', zone: 'z1', cidr6: '2001:db8:20:1::/64' }),
      ].map((made) => made?.body?.id ?? '');
      const nth = <T>(items: Iterable<T>, n: number): T | undefined => [...items][n % Math.max([...items].length, 1)];
      for (const [i, { what, pick, these, ...counts }] of steps.entries()) {
        const nic = nth(model.state.nic.keys(), pick) ?? 'nic-none';
        const instance = nth(model.state.instance.keys(), pick) ?? 'i-00000000000000000';
        const want = { ...counts, these: apart(these) };
        const wants = want.addresses4 + want.prefixes4 + want.prefixes6 + want.these.length > 0 ? { want } : {};
        const subnet = nth(subnets, pick) ?? '';
        if (what === 'create') run(model, 'CreateNic', '', { clientToken: `t${i}`, subnet, ...wants });
        if (what === 'launch') run(model, 'LaunchInstance', '', { name: `n${i}`, type: 't', subnet });
        if (what === 'assign' && 'want' in wants) run(model, 'AssignAddresses', nic, wants);
        if (what === 'unassign') {
          const block = nth(model.state.nic.get(nic)?.blocks ?? [], want.addresses4);
          if (block !== undefined) run(model, 'UnassignAddresses', nic, { blocks: [block] });
        }
        if (what === 'attach') run(model, 'AttachNic', nic, { instance, deviceIndex: 1 + (pick % 3) });
        if (what === 'detach') run(model, 'DetachNic', nic, undefined);
        if (what === 'delete') run(model, 'DeleteNic', nic, undefined);
        if (what === 'terminate') run(model, 'TerminateInstance', instance, undefined);
        checkInvariants(model);
      }
    }),
    { numRuns: 150 },
  );
});

test('a block asked for by value is given exactly when it is in the subnet, not reserved, and nobody holds a part of it', () => {
  const given = fc.oneof(givenBlock('10.20.0.0/25', [32, 28]), givenBlock('2001:db8:20::/73', [128, 80]));
  fc.assert(
    fc.property(fc.array(given, { maxLength: 12 }), fc.array(given, { minLength: 1, maxLength: 12 }), (before, asked) => {
      const model = newModel();
      const cidrs = { cidr4: '10.20.0.0/26', cidr6: '2001:db8:20::/64' };
      const subnet = run(model, 'CreateSubnet', '', { name: 'a', zone: 'z1', ...cidrs })?.body?.id ?? '';
      const [one, other] = ['t1', 't2'].map((clientToken) => run(model, 'CreateNic', '', { clientToken, subnet })?.body?.id ?? '');
      for (const block of before) run(model, 'AssignAddresses', other ?? '', { want: { these: [block] } });
      for (const block of asked) {
        const own = [...model.state.nic.values()].find(({ id }) => id === one)?.blocks ?? [];
        const room = [cidrs.cidr4, cidrs.cidr6].map(parseCidr).find((cidr) => containsCidr(cidr, block));
        const reserved = room && [0n, 1n, 2n, 3n, sizeOf(room) - 1n].some((offset) => contains(block, addressAt(room, offset)));
        const held = [...model.state.nic.values()].flatMap(blocksOf).some((taken) => overlaps(taken, block));
        const may = own.includes(block) || (room !== undefined && !reserved && !held);
        const answer = run(model, 'AssignAddresses', one ?? '', { want: { these: [block] } });
        assert.deepEqual(answer?.body?.blocks, may ? [block] : undefined, block);
        const after = model.state.nic.get(one ?? '')?.blocks;
        assert.deepEqual(after, may && !own.includes(block) ? [...own, block] : own);
        checkInvariants(model);
      }
    }),
    { numRuns: 200 },
  );
});

test('a refused call leaves nothing behind', () => {
  const model = newModel();
  const subnet = run(model, 'CreateSubnet', '', { name: 'a', zone: 'z1', cidr4: '10.20.0.0/28' })?.body?.id ?? '';
  const before = JSON.stringify([...model.state.nic.values()]);
  assert.equal(run(model, 'CreateNic', '', { clientToken: 't', subnet, want: { addresses4: 30 } }), undefined);
  assert.equal(JSON.stringify([...model.state.nic.values()]), before);
  assert.ok(run(model, 'CreateNic', '', { clientToken: 't', subnet }), 'not even the token');
});

test('prefixes are taken where they fit, between single addresses', () => {
  const model = newModel();
  const subnet = run(model, 'CreateSubnet', '', { name: 'a', zone: 'z1', cidr4: '10.20.0.0/26' })?.body?.id ?? '';
  const nic = run(model, 'CreateNic', '', { clientToken: 't', subnet })?.body?.id ?? '';
  // .4 is the NIC's own, so 16–31 and 32–47 are whole; 48–63 holds the reserved last address.
  assert.deepEqual(run(model, 'AssignAddresses', nic, { want: { prefixes4: 2 } })?.body?.blocks, ['10.20.0.16/28', '10.20.0.32/28']);
  assert.equal(run(model, 'AssignAddresses', nic, { want: { prefixes4: 1 } }), undefined);
});

test('all Ethernet addresses have the checksum of the gateway and are unicast, locally administered', () => {
  const sum = (mac: string): number =>
    mac.split(':').reduce((total, byte, i) => total + Number.parseInt(byte, 16) * (i % 2 === 0 ? 256 : 1), 0) % 0xffff;
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (bytes) => {
      const mac = nicMac(bytes);
      assert.equal(sum(mac), sum(gatewayMac));
      assert.equal(Number.parseInt(mac.slice(0, 2), 16) & 3, 2);
      assert.ok(isInterchangeable(mac));
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
      const mac = macFromBytes(bytes);
      assert.equal(isInterchangeable(mac), sum(mac) === sum(gatewayMac));
    }),
  );
});

test('what was some time ago can be read back, as far as it is remembered', () => {
  let now = 0;
  const model = new Model(noDisk, () => now);
  const put = (name: string): void =>
    model.transaction((transaction) =>
      transaction.put('type', { id: name, limits: { nics: 1, addressSlotsPerNic: 1, ipv6SlotsPerNic: 0 } }),
    );
  for (const name of ['a', 'b', 'c']) {
    now += 100;
    put(name);
  }
  model.transaction((transaction) => transaction.remove('type', 'a'));
  const at = (age: number): string[] => [...model.stateBefore(age).type.keys()].sort();
  assert.deepEqual([at(0), at(50), at(150), at(250), at(1000)], [['b', 'c'], ['a', 'b'], ['a'], [], []]);
});
