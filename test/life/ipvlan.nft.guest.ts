/** Pods by ipvlan, with real packets: nodes, fabric and VPC all in one guest, whose kernel has ipvlan. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { addWhenReady, inside } from './underlay.ts';
import { everySizeIsRight } from './underlay-mtu.ts';
import { everybodyReachesEverybody, livesAndEnds, servicesAreReached } from './underlay-matrix.ts';
import { diesAtEachStep, goesWrong, labWith, serviceVethDamages } from './underlay-faults.ts';

const ipvlan = { spec: 'datapath: ipvlan' };

test('ipvlan l2: Pods reach Pods of every kind, nodes and VMs, and are reached by them, as themselves', () =>
  everybodyReachesEverybody(ipvlan));
test('ipvlan l2: Pods reach Services through their node, and are reached through them', () => servicesAreReached(ipvlan));
test('ipvlan l3: Pods reach Pods of every kind, nodes and VMs, and are reached by them, as themselves', () =>
  everybodyReachesEverybody({ spec: 'datapath: ipvlan, mode: l3' }));
test('ipvlan l3s: Pods reach Services through their node, and are reached through them', () =>
  servicesAreReached({ spec: 'datapath: ipvlan, mode: l3s' }));
test('ipvlan: CHECK names drift, repair mends it, a killed agent finds the Pods, DEL leaves nothing', () => livesAndEnds(ipvlan));
test('ipvlan: packets of the full MTU pass on every way, the key mtu is kept, and who sends more is told', () =>
  everySizeIsRight(ipvlan.spec, ['eth0', 'node0']));
test('ipvlan: an agent that dies at any step of ADD or DEL leaves nothing that the next call does not mend', () =>
  diesAtEachStep(ipvlan.spec));

test('ipvlan: what goes wrong around a Pod is said, and no loss', (t) =>
  goesWrong(t, ipvlan.spec, {
    damages: [
      ...serviceVethDamages,
      ['ip link set eth0 type ipvlan mode l3', /ipvlan l2 eth0 .*: its mode is l3/],
      ['ip link set eth0 mtu 1300', /ipvlan l2 eth0 .*: its MTU is 1300/],
    ],
    pull: ({ node, parent }) => node.ip(`link del ${parent}`),
  }));

test('ipvlan: while Pods of one mode are there, none of another is made on their parent: it would change the mode of all', async () => {
  await using lab = await labWith(ipvlan.spec);
  const node = lab.node(0);
  const [first, second] = [node.container(), node.container()];
  await addWhenReady(node, first);
  await node.stop();
  await node.start({}, readFileSync(join(node.dir, 'node.yaml'), 'utf8').replace('datapath: ipvlan', 'datapath: ipvlan, mode: l3'));
  const answer = await node.call('ADD', second);
  assert.match(answer.stdout, /eth1 cannot have ipvlan l3 beside Pods of another mode: .*\(FP282\)/);
  assert.equal((await node.call('DEL', first)).status, 0);
  await addWhenReady(node, second);
  assert.match(inside(second.netns, 'ip -d link show eth0'), /ipvlan +mode l3 /);
});
