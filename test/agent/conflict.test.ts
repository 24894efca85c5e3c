/** Addresses that somebody else has on a network without a cloud: no Pod gets one, it rests, and everybody who asks is told who has it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { add } from '../../src/agent/add.ts';
import { addressReport } from '../../src/agent/address-report.ts';
import { now_ms } from '../../src/agent/pools.ts';
import { sayAddress } from '../../src/cli/ip.ts';
import type { Result } from '../../src/cni/result.ts';
import { asFailure, sentence } from '../../src/errors/failure.ts';
import { openPacketSocket } from '../../src/kernel/packet-socket.ts';
import { parseIp } from '../../src/net/address.ts';
import { quarantinedIn } from '../../src/store/quarantine.ts';
import { macOf, testLan } from '../kernel/lan.ts';
import { eventually } from '../life/lab.ts';
import { rangeNode } from './shared-network.ts';

const [five, six] = ['10.9.0.5', '10.9.0.6'].map(parseIp) as [ReturnType<typeof parseIp>, ReturnType<typeof parseIp>];
const blocks = ['10.9.0.5/32', '10.9.0.6/32'];
/** An ADD tries no other address when this and two seconds are over, however long it was held up; where one is free it waits for none. */
const patient = { addressWait_s: 60 };
const addressesOf = ({ ips }: Result): string[] => ips.map(({ address }) => address.split('/')[0] ?? '');

test('an address that somebody has is passed over: it rests, counts as cooling, and log and report name the holder', async () => {
  using lan = testLan(2);
  const other = lan.host(1);
  other.ip('addr add 10.9.0.5/24 dev eth0');
  using node = rangeNode(lan.host(0), { blocks, config: patient });
  const { ns, request } = node.pod();
  assert.deepEqual(addressesOf(await add(node, request)), [six]);
  const mac = macOf(other);
  assert.match(
    node.lines.join(''),
    new RegExp(`10\\.9\\.0\\.5 of PodSubnet a, meant for .*, is in use on the network of eth0 by ${mac}: it rests for 600 s`),
  );
  assert.deepEqual(node.pools.demand(), [{ subnet: 'a', inUse: 1, cooling: 1, waiting: 0 }]);
  const report = addressReport(node, five);
  assert.deepEqual(report.other, { holder: mac, link: 'eth0' });
  assert.match(sayAddress(report), new RegExp(`^10\\.9\\.0\\.5 rests until 2.*: on the network of eth0 it is in use by ${mac}: `));
  assert.ok((report.until_ms ?? 0) > now_ms() + 590_000);
  other.exec('ping -c 1 -W 5 10.9.0.6');
  assert.equal(node.attachments.list().length, 1);
  assert.match(ns.ip('addr show eth0'), /10\.9\.0\.6\/24/);
});

test('when others have all that the node holds, ADD fails with who has what, and leaves nothing: FP290 addressesTaken', async () => {
  using lan = testLan(2);
  for (const address of [five, six]) lan.host(1).ip(`addr add ${address}/24 dev eth0`);
  // All of it is waited for here; what is left for both addresses is that and two seconds.
  using node = rangeNode(lan.host(0), { blocks, config: { addressWait_s: 8 } });
  const mac = macOf(lan.host(1));
  const { ns, request } = node.pod();
  const refused = asFailure(await add(node, request).catch((error: unknown) => error));
  assert.equal(refused.kind, 'addressesTaken');
  assert.ok(sentence(refused).includes(`10.9.0.5 (${mac}), 10.9.0.6 (${mac})`), sentence(refused));
  assert.deepEqual(node.attachments.list(), []);
  assert.deepEqual(node.pools.demand(), [{ subnet: 'a', inUse: 0, cooling: 2, waiting: 0 }]);
  assert.doesNotMatch(ns.ip('link show'), /eth0/);
  const cloud = { ...node.cloud, config: { ...node.cloud.config, addressWait_s: 0 } };
  await assert.rejects(add({ ...node, cloud }, request), { kind: 'addressesExhausted' });
});

test('one ADD tries four addresses at most', async () => {
  using lan = testLan(2);
  for (let i = 8; i < 16; i++) lan.host(1).ip(`addr add 10.9.0.${i}/24 dev eth0`);
  using node = rangeNode(lan.host(0), { blocks: ['10.9.0.8/29'], config: patient });
  await assert.rejects(add(node, node.pod().request), { kind: 'addressesTaken' });
  assert.equal(node.pools.demand()[0]?.cooling, 4);
});

test('an address asked for by value that somebody has is not replaced by another, and is refused for as long as it rests', async () => {
  using lan = testLan(2);
  lan.host(1).ip('addr add 10.9.0.5/24 dev eth0');
  using node = rangeNode(lan.host(0), { blocks });
  const asking = { CNI_ARGS: 'IgnoreUnknown=1;IP=10.9.0.5' };
  const holder = new RegExp(`10\\.9\\.0\\.5 \\(${macOf(lan.host(1))}\\)`);
  await assert.rejects(add(node, node.pod(asking).request), { kind: 'addressesTaken', message: holder });
  lan.host(1).ip('addr del 10.9.0.5/24 dev eth0');
  await assert.rejects(add(node, node.pod(asking).request), { kind: 'addressesTaken', message: holder });
});

test('what rests because of others rests after a restart too, but never longer than the configuration says by then', async () => {
  using lan = testLan(2);
  lan.host(1).ip('addr add 10.9.0.5/24 dev eth0');
  using node = rangeNode(lan.host(0), { blocks, config: patient });
  await add(node, node.pod().request);
  const rests = quarantinedIn(node.database, 'a', now_ms(), 600_000);
  assert.deepEqual(
    rests.map(({ address, link, subnet }) => ({ address, link, subnet })),
    [{ address: five, link: 'eth0', subnet: 'a' }],
  );
  assert.ok((quarantinedIn(node.database, 'a', now_ms(), 1000)[0]?.until_ms ?? 0) <= now_ms() + 1000);
  assert.deepEqual(quarantinedIn(node.database, 'a', now_ms() + 600_001, 600_000), []);
});

test('of both families only what somebody has is quarantined; the other address is free at once', async () => {
  using lan = testLan(2);
  lan.host(1).ip('addr add fd00:9::5/64 nodad dev eth0');
  using node = rangeNode(lan.host(0), { blocks: ['10.9.0.5/32', 'fd00:9::5/128', 'fd00:9::6/128'], config: patient });
  assert.deepEqual(addressesOf(await add(node, node.pod().request)), ['10.9.0.5', 'fd00:9::6']);
  assert.deepEqual(
    quarantinedIn(node.database, 'a', now_ms(), 600_000).map(({ address }) => address),
    ['fd00:9::5'],
  );
});

test('two nodes that are given the same address at the same time do not both use it', async () => {
  using lan = testLan(2);
  using one = rangeNode(lan.host(0), { blocks: ['10.9.0.5/32', 'fd00:9::5/128'] });
  using two = rangeNode(lan.host(1), { blocks: ['10.9.0.5/32', 'fd00:9::5/128'] });
  const answers = await Promise.allSettled([one, two].map((node) => add(node, node.pod().request)));
  const refused = answers.filter((answer) => answer.status === 'rejected').map(({ reason }) => asFailure(reason));
  assert.ok(refused.length > 0);
  for (const error of refused) assert.equal(error.kind, 'addressesTaken', sentence(error));
  assert.match(refused.map(sentence).join(), /which asks for it as well/);
  assert.equal(one.attachments.list().length + two.attachments.list().length, 2 - refused.length);
});

test('an address of a Pod of another node is never given a second time', async () => {
  using lan = testLan(2);
  using one = rangeNode(lan.host(0), { blocks: ['10.9.0.5/32'] });
  using two = rangeNode(lan.host(1), { blocks, config: patient });
  const { ns, request } = one.pod();
  await add(one, request);
  assert.deepEqual(addressesOf(await add(two, two.pod().request)), [six]);
  assert.equal(addressReport(two, five).other?.holder, macOf(ns));
});

test("the node's own address is nobody else's, but no Pod gets it", async () => {
  using lan = testLan(1);
  lan.host(0).ip('addr add 10.9.0.5/24 dev eth0');
  using node = rangeNode(lan.host(0), { blocks, config: patient });
  assert.deepEqual(addressesOf(await add(node, node.pod().request)), [six]);
  assert.equal(addressReport(node, five).other?.holder, 'this node itself');
});

test('where nobody can be asked no Pod is made, nothing is leased, and it works once they can: FP291 networkNotAsked', async () => {
  using lan = testLan(1);
  const host = lan.host(0);
  using node = rangeNode(host, { blocks: ['10.9.0.5/32'] });
  const { request } = node.pod();
  host.ip('link set eth0 down');
  await assert.rejects(add(node, request), { kind: 'networkNotAsked', message: /eth0 whether 10\.9\.0\.5 is in use: it is down/ });
  assert.deepEqual(node.attachments.list(), []);
  assert.deepEqual(node.pools.demand(), [{ subnet: 'a', inUse: 0, cooling: 0, waiting: 0 }]);
  host.ip('link set eth0 up');
  assert.deepEqual(addressesOf(await add(node, request)), [five]);
});

test('conflictRest_s: 0 asks nobody', async () => {
  using lan = testLan(2);
  lan.host(1).ip('addr add 10.9.0.5/24 dev eth0');
  using node = rangeNode(lan.host(0), { blocks, config: { conflictRest_s: 0 } });
  assert.deepEqual(addressesOf(await add(node, node.pod().request)), [five]);
});

test('a Pod that has its addresses tells its network twice where they are', async () => {
  using lan = testLan(2);
  const other = lan.host(1);
  using node = rangeNode(lan.host(0), { blocks: ['10.9.0.5/32', 'fd00:9::5/128'] });
  const { ns, request } = node.pod();
  const index = Number(other.ipJson('link show eth0')[0]?.['ifindex']);
  const everything = Buffer.from([6, 0, 0, 0, 255, 255, 0, 0]);
  using socket = other.netns.run(() => openPacketSocket(index, { etherType: 3, filter: everything, groups: [] }));
  await add(node, request);
  const mac = Buffer.from(macOf(ns).replaceAll(':', ''), 'hex');
  const heard = { arp: 0, ndp: 0 };
  await eventually('two of each', () => {
    for (const frame of socket.received().filter((one) => one.subarray(6, 12).equals(mac))) {
      const type = frame.readUInt16BE(12);
      if (type === 0x0806 && frame.subarray(28, 32).equals(frame.subarray(38, 42))) heard.arp++;
      if (type === 0x86dd && frame[20] === 58 && frame[54] === 136 && frame.subarray(0, 6).toString('hex') === '333300000001') heard.ndp++;
    }
    return heard.arp >= 2 && heard.ndp >= 2;
  });
});
