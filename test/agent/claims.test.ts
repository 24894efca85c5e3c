/** Addresses of claims on a node: what an agent does with them, and never does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerTo, claimedReturned, takenBy, withLetGo } from '../../src/agent/claims.ts';
import { Pools } from '../../src/agent/pools.ts';
import type { NicId } from '../../src/cloud/cloud.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { parseMac } from '../../src/net/mac.ts';
import type { ClaimGranted, NodeNetworkStatus } from '../../src/store/node-network.ts';
import { podSubnet } from '../../src/store/pod-subnet.ts';

const pods = podSubnet.parse({
  apiVersion: 'flatpod.dev/v1alpha1',
  kind: 'PodSubnet',
  metadata: { name: 'pods' },
  spec: { cloudSubnet: 's' },
});
const plugged = new Set(['nic']);
const own = parseCidr('10.0.0.7/32');
const answer: ClaimGranted = { namespace: 'shop', pod: 'db-0', uid: 'u', subnet: 'pods', addresses: [parseIp('10.0.0.7')] };

function status(
  claimed: readonly string[],
  reclaiming: readonly string[] = [],
  blocks = ['10.0.0.1/32', '10.0.0.7/32'],
): NodeNetworkStatus {
  const facts = { id: 'nic' as NicId, mac: parseMac('02:00:00:00:00:01'), subnet: 'pods', deviceIndex: 0, mtu: 1500 }; // the cloud's own word
  const lists = { blocks: blocks.map(parseCidr), reclaiming: reclaiming.map(parseCidr), claimed: claimed.map(parseCidr) };
  return { vpcCidrs: [], nics: [{ ...facts, ...lists }], growth: [], claims: [answer] };
}

test('no ordinary Pod gets an address of a claim, and no pool counts it', async () => {
  const pools = new Pools([pods], { demandChanged: () => undefined });
  pools.grant(status(['10.0.0.7/32']), plugged);
  const anyone = { pod: 'p', requested: [] };
  assert.deepEqual((await pools.lease(pods, anyone, 0)).addresses, ['10.0.0.1']);
  await assert.rejects(pools.lease(pods, anyone, 0), { kind: 'addressesExhausted' });
  await assert.rejects(pools.lease(pods, { pod: 'p', requested: [parseIp('10.0.0.7')] }, 0));
  assert.equal(pools.demand()[0]?.inUse, 1);
  pools.stop();
});

test('a claim’s address that becomes an ordinary one is not free while an attachment has it', async () => {
  const known = { leased: [parseIp('10.0.0.7')], resting: [] };
  const pools = new Pools([pods], { known: () => known, demandChanged: () => undefined });
  pools.grant(status(['10.0.0.7/32']), plugged);
  pools.grant(status([]), plugged);
  const taken = await pools.lease(pods, { pod: 'p', requested: [] }, 0);
  assert.deepEqual(taken.addresses, ['10.0.0.1']);
  await assert.rejects(pools.lease(pods, { pod: 'p', requested: [] }, 0), { kind: 'addressesExhausted' });
  pools.stop();
});

test('an answer can be used when its address is granted as a claim’s and not asked back', () => {
  assert.deepEqual(takenBy(status(['10.0.0.7/32']), answer), { nic: 'nic', addresses: ['10.0.0.7'] });
  assert.equal(takenBy(status([]), answer), undefined, 'granted as an ordinary one');
  assert.equal(takenBy(status(['10.0.0.7/32'], ['10.0.0.7/32']), answer), undefined, 'asked back');
  assert.equal(takenBy(status(['10.0.0.7/32']), { ...answer, addresses: [] }), undefined);
  assert.equal(answerTo(status([]), 'u')?.pod, 'db-0');
  assert.equal(answerTo(status([]), 'another'), undefined);
});

test('an answer with both families can be used when one interface has both, in the order of the answer', () => {
  const both: ClaimGranted = { ...answer, addresses: ['2001:db8::7', '10.0.0.7'].map(parseIp) };
  const blocks = ['10.0.0.7/32', '2001:db8::7/128'];
  const whole = status(blocks, [], blocks);
  assert.deepEqual(takenBy(whole, both), { nic: 'nic', addresses: ['2001:db8::7', '10.0.0.7'] });
  assert.equal(takenBy(status(blocks, ['2001:db8::7/128'], blocks), both), undefined, 'one of them is asked back');
  const [nic] = whole.nics;
  assert.ok(nic);
  const [four, six] = blocks.map(parseCidr).map((block, i) => ({ ...nic, id: `nic-${i}` as NicId, blocks: [block], claimed: [block] })); // any id will do
  assert.ok(four && six);
  assert.equal(takenBy({ ...whole, nics: [four, six] }, both), undefined, 'they are on two');
  assert.deepEqual(claimedReturned(status(blocks, blocks, blocks), new Set([parseIp('10.0.0.7')])), ['2001:db8::7/128']);
});

test('an address that is asked back is returned when no attachment has it', () => {
  const asked = status(['10.0.0.7/32'], ['10.0.0.7/32']);
  assert.deepEqual(claimedReturned(asked, new Set([parseIp('10.0.0.7')])), []);
  assert.deepEqual(claimedReturned(asked, new Set()), [own]);
  assert.deepEqual(claimedReturned(status(['10.0.0.7/32']), new Set()), []);
});

test('what was returned is used by nobody until it is granted no more, even if it is not asked back any longer or no claim’s', () => {
  const letGo = new Set([own]);
  for (const said of [status(['10.0.0.7/32']), status([])]) {
    const taken = withLetGo(said, letGo);
    assert.equal(takenBy(taken, answer), undefined);
    assert.deepEqual(claimedReturned(taken, new Set()), [own], 'it is said again');
  }
  const gone = status([], [], ['10.0.0.1/32']);
  assert.deepEqual(withLetGo(gone, letGo), gone);
});
