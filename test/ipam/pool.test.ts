/** The pool of one PodSubnet: what it gives out, in which order, and what it keeps to itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pool } from '../../src/ipam/pool.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseCidr } from '../../src/net/cidr.ts';

const ips = (...texts: string[]) => texts.map(parseIp);
const cidrs = (...texts: string[]) => texts.map(parseCidr);
const nic = (id: string, blocks: string[], reclaiming: string[] = []) => ({
  id,
  blocks: cidrs(...blocks),
  reclaiming: cidrs(...reclaiming),
});
const poolOf = (blocks: string[], options: { families?: (4 | 6)[]; exclude?: string[]; maximum?: number } = {}) => {
  const pool = new Pool({
    families: options.families ?? [4],
    exclude: cidrs(...(options.exclude ?? [])),
    maximum: options.maximum ?? 250,
  });
  assert.deepEqual(pool.grant([nic('a', blocks)]), []);
  return pool;
};
const takeAll = (pool: Pool, now = 0) => {
  const all: string[] = [];
  for (let taken = pool.take(now); taken !== undefined; taken = pool.take(now)) all.push(...taken.addresses);
  return all;
};

test('all 16 addresses of a /28 serve 16 Pods, and the 17th gets none', () => {
  assert.equal(new Set(takeAll(poolOf(['10.0.0.16/28']))).size, 16);
});

test('never-used addresses go first, then the one freed longest ago', () => {
  const pool = poolOf(['10.0.0.1/32', '10.0.0.2/32', '10.0.0.3/32']);
  const [a, b] = [pool.take(0), pool.take(0)];
  assert.ok(a && b);
  pool.release(b.addresses, 10);
  pool.release(a.addresses, 20);
  assert.deepEqual(takeAll(pool, 30), ['10.0.0.3', '10.0.0.2', '10.0.0.1']);
});

test('a partly used prefix fills before a whole one is broken, even when its addresses were used before', () => {
  const pool = poolOf(['10.0.0.0/28', '10.0.0.16/28']);
  const first = pool.take(0);
  const second = pool.take(0);
  assert.ok(first && second);
  pool.release(first.addresses, 0);
  for (let i = 0; i < 15; i++) assert.match(pool.take(1)?.addresses[0] ?? '', /^10\.0\.0\.([0-9]|1[0-5])$/);
  assert.equal(pool.take(1)?.addresses[0], '10.0.0.16');
});

test('a cooling address is not given out before its time, counts apart, and its end is announced', () => {
  const pool = poolOf(['10.0.0.1/32']);
  const taken = pool.take(0);
  assert.ok(taken);
  pool.release(taken.addresses, 180_000);
  assert.equal(pool.take(179_999), undefined);
  assert.deepEqual(pool.counts(179_999), { inUse: 0, cooling: 1, free: 0, held: 1, reclaiming: 0, lost: 0 });
  assert.equal(pool.nextFree_ms(170_000), 10_000);
  assert.deepEqual(pool.take(180_000), { nic: 'a', addresses: ['10.0.0.1'] });
});

test('releasing twice, or what nobody has, changes nothing', () => {
  const pool = poolOf(['10.0.0.1/32', '10.0.0.2/32']);
  const taken = pool.take(0);
  assert.ok(taken);
  pool.release(taken.addresses, 10);
  pool.release(taken.addresses, 1_000_000);
  pool.release(ips('10.0.0.2', '192.0.2.1'), 1_000_000);
  assert.equal(takeAll(pool, 10).length, 2);
});

test('both addresses of a dual-stack Pod come from one interface, and one without IPv6 serves none', () => {
  const pool = new Pool({ families: [4, 6], exclude: [], maximum: 250 });
  pool.grant([nic('a', ['10.0.0.1/32']), nic('b', ['10.0.0.2/32', '2001:db8::/80'])]);
  assert.deepEqual(pool.take(0), { nic: 'b', addresses: ['10.0.0.2', '2001:db8::1'] });
  assert.equal(pool.take(0), undefined);
});

test('a /80 is walked in order without its first address, round and round, past what is leased, cooling and excluded', () => {
  const pool = poolOf(['2001:db8::/80'], { families: [6], exclude: ['2001:db8::2/127', '2001:db8::8000:0:0/81'] });
  const next = () => pool.take(0)?.addresses[0];
  assert.equal(next(), '2001:db8::1');
  assert.equal(next(), '2001:db8::4');
  assert.deepEqual(pool.takeRequested(ips('2001:db8::5'), 0), { nic: 'a', addresses: ['2001:db8::5'] });
  pool.release(ips('2001:db8::4'), 0);
  assert.equal(next(), '2001:db8::6', 'what was just freed waits for its turn');
});

test('an IPv6 subnet counts what the node may hold, and gives out no more', () => {
  const pool = poolOf(['2001:db8::/80'], { families: [6], maximum: 3 });
  assert.equal(pool.counts(0).held, 3);
  assert.equal(takeAll(pool).length, 3);
  assert.deepEqual(pool.counts(0), { inUse: 3, cooling: 0, free: 0, held: 3, reclaiming: 0, lost: 0 });
});

test('a requested address is given when it is free; else the answer says why', () => {
  const pool = poolOf(['10.0.0.0/28'], { exclude: ['10.0.0.3/32'] });
  assert.deepEqual(pool.takeRequested(ips('10.0.0.5'), 0), { nic: 'a', addresses: ['10.0.0.5'] });
  const why = (text: string, now = 0) => {
    const answer = pool.takeRequested(ips(text), now);
    return answer && 'why' in answer ? [answer.why, answer.wait_ms] : answer;
  };
  assert.deepEqual(why('10.0.0.5'), ['leased', 0]);
  pool.release(ips('10.0.0.5'), 500);
  assert.deepEqual(why('10.0.0.5', 100), ['cooling', 400]);
  assert.deepEqual(why('10.0.0.3'), ['excluded', 0]);
  assert.deepEqual(why('10.0.0.99'), ['notHeld', 0]);
  assert.deepEqual(why('2001:db8::1'), ['notHeld', 0]);
});

test('requested addresses on two interfaces, or two of one family, are refused and nothing is leased', () => {
  const pool = new Pool({ families: [4, 6], exclude: [], maximum: 250 });
  pool.grant([nic('a', ['10.0.0.1/32', '10.0.0.3/32', '2001:db8:a::/80']), nic('b', ['10.0.0.2/32', '2001:db8:b::/80'])]);
  const why = (...texts: string[]) => {
    const answer = pool.takeRequested(ips(...texts), 0);
    return answer && 'why' in answer ? answer.why : answer;
  };
  assert.equal(why('10.0.0.1', '2001:db8:b::9'), 'otherNic');
  assert.equal(why('10.0.0.1', '10.0.0.3'), 'family');
  assert.equal(pool.counts(0).inUse, 0);
  assert.deepEqual(why('10.0.0.2'), { nic: 'b', addresses: ['10.0.0.2', '2001:db8:b::1'] });
});

test('a block asked back is leased from only when nothing else is left, and is given back once unused and rested', () => {
  const pool = poolOf(['10.0.0.1/32', '10.0.0.2/32']);
  pool.grant([nic('a', ['10.0.0.1/32', '10.0.0.2/32'], ['10.0.0.1/32'])]);
  assert.deepEqual(pool.counts(0), { inUse: 0, cooling: 0, free: 1, held: 2, reclaiming: 1, lost: 0 });
  assert.equal(pool.take(0)?.addresses[0], '10.0.0.2');
  assert.equal(pool.take(0)?.addresses[0], '10.0.0.1');
  assert.deepEqual(pool.giveBack(0), []);
  pool.release(ips('10.0.0.1'), 100);
  assert.deepEqual(pool.giveBack(99), []);
  assert.deepEqual(pool.giveBack(100), cidrs('10.0.0.1/32'));
  assert.equal(pool.take(100), undefined);
  assert.equal(pool.counts(100).held, 1);
});

test('a returned block stays returned until the grants have been without it, also across a restart', () => {
  const pool = new Pool({ families: [4], exclude: [], maximum: 250, returned: cidrs('10.0.0.1/32') });
  pool.grant([nic('a', ['10.0.0.1/32'])]);
  assert.equal(pool.take(0), undefined);
  assert.deepEqual(pool.giveBack(0), cidrs('10.0.0.1/32'));
  pool.grant([nic('a', [])]);
  assert.deepEqual(pool.giveBack(0), []);
  pool.grant([nic('a', ['10.0.0.1/32'])]);
  assert.equal(pool.take(0)?.addresses[0], '10.0.0.1');
});

test('leases and rests survive a restart, whichever of grants and state is read first', () => {
  for (const grantFirst of [true, false]) {
    const pool = new Pool({ families: [4], exclude: [], maximum: 250 });
    const grant = () => pool.grant([nic('a', ['10.0.0.0/30'])]);
    if (grantFirst) grant();
    pool.restore(ips('10.0.0.0', '10.0.0.1'), [
      { address: parseIp('10.0.0.2'), until_ms: 50 },
      { address: parseIp('10.0.0.1'), until_ms: 50 },
    ]);
    if (!grantFirst) grant();
    assert.deepEqual(takeAll(pool, 0), ['10.0.0.3']);
    assert.deepEqual(takeAll(pool, 50), ['10.0.0.2']);
  }
});

test('a block that vanishes under its Pods counts as lost, and holds their leases again when it is back', () => {
  const pool = poolOf(['10.0.0.0/31']);
  pool.take(0);
  pool.grant([]);
  assert.deepEqual(pool.counts(0), { inUse: 0, cooling: 0, free: 0, held: 0, reclaiming: 0, lost: 1 });
  pool.grant([nic('b', ['10.0.0.0/31'])]);
  assert.deepEqual(pool.counts(0), { inUse: 1, cooling: 0, free: 1, held: 2, reclaiming: 0, lost: 0 });
  assert.deepEqual(pool.take(0), { nic: 'b', addresses: ['10.0.0.1'] });
});

test('of blocks that overlap only one is used, and the other is named', () => {
  const pool = new Pool({ families: [4], exclude: [], maximum: 250 });
  assert.deepEqual(pool.grant([nic('a', ['10.0.0.5/32']), nic('b', ['10.0.0.0/28', '10.0.0.5/32'])]), cidrs('10.0.0.5/32', '10.0.0.5/32'));
  assert.equal(new Set(takeAll(pool)).size, 16);
});

test('an address that was excluded after a Pod got it stays with the Pod, and goes to nobody after', () => {
  const pool = new Pool({ families: [4], exclude: cidrs('10.0.0.1/32'), maximum: 250 });
  pool.restore(ips('10.0.0.1'), []);
  pool.grant([nic('a', ['10.0.0.0/31'])]);
  assert.equal(pool.counts(0).inUse, 1);
  pool.release(ips('10.0.0.1'), 0);
  assert.deepEqual(takeAll(pool, 1), ['10.0.0.0']);
});

test('earlier interfaces fill before later ones', () => {
  const pool = new Pool({ families: [4], exclude: [], maximum: 250 });
  pool.grant([nic('a', ['10.0.0.1/32']), nic('b', ['10.0.0.2/32'])]);
  const first = pool.take(0);
  assert.ok(first);
  pool.release(first.addresses, 0);
  assert.equal(pool.take(1)?.nic, 'a');
});

test('what is leased and rests on a NIC set aside is told the controller, which counts its blocks as held, and is nowhere else', () => {
  const pool = new Pool({ families: [4, 6], exclude: [], maximum: 100 });
  const before = { id: 'a', blocks: ['10.0.0.0/30', '2001:db8::/80', '10.0.1.1/32'].map(parseCidr), reclaiming: [] };
  pool.grant([before]);
  const pods = [pool.take(0), pool.take(0), pool.take(0)];
  const last = pods.pop() ?? assert.fail();
  pool.release(last.addresses, 1000);
  pool.restore([parseIp('10.9.9.9')], []);
  assert.deepEqual(pool.demand(0), { inUse: 2, cooling: 1 });
  const after = { id: 'b', blocks: [parseCidr('10.0.2.0/30')], reclaiming: [] };
  pool.grant([after], undefined, [before]);
  assert.deepEqual(pool.demand(0), { inUse: 2, cooling: 1 }, 'by IPv4 addresses, as ever, and without one that no block has');
  assert.deepEqual([pool.counts(0).inUse, pool.counts(0).free, pool.counts(0).lost], [0, 4, 3]);
  assert.deepEqual(pool.demand(1000), { inUse: 2, cooling: 0 });
  pool.grant([after, before]);
  assert.deepEqual(pool.demand(1000), { inUse: 2, cooling: 0 }, 'once, however it is told');
  pool.grant([after]);
  assert.deepEqual(pool.demand(1000), { inUse: 0, cooling: 0 }, 'nobody holds it any more');
});

test('what is asked back of an unplugged NIC is given back, but for blocks with leases or rests; plugged in again it is not leased', () => {
  const pool = new Pool({ families: [4], exclude: [], maximum: 100 });
  const blocks = ['10.0.0.1/32', '10.0.0.2/32', '10.0.0.3/32'].map(parseCidr);
  const held = { id: 'a', blocks, reclaiming: [] };
  pool.grant([held]);
  const [one, two] = [pool.take(0), pool.take(0)];
  assert.ok(one && two);
  pool.release(two.addresses, 1000);
  const asked = { ...held, reclaiming: blocks };
  pool.grant([], blocks, [asked]);
  assert.deepEqual(pool.giveBack(0), ['10.0.0.3/32']);
  assert.deepEqual(pool.giveBack(1000), ['10.0.0.3/32', '10.0.0.2/32'], 'its rest is over');
  pool.grant([held], blocks);
  assert.equal(pool.take(2000), undefined);
});
