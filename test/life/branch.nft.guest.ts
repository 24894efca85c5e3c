/** Pods with a branch of a trunk each, with real packets: nodes, fabric and VPC all in one guest, whose kernel has VLANs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { everySizeIsRight } from './underlay-mtu.ts';
import { everybodyReachesEverybody, livesAndEnds, servicesAreReached } from './underlay-matrix.ts';
import { diesAtEachStep, type Faulty, goesWrong, serviceVethDamages } from './underlay-faults.ts';

const branch = { spec: 'datapath: branch' };

test('Pods with branches reach Pods of every kind, nodes and VMs, and are reached by them, as themselves', () =>
  everybodyReachesEverybody(branch));
test('Pods with branches reach Services through their node, and are reached through them', () => servicesAreReached(branch));
test('Pods with branches: CHECK names drift, repair mends it, a killed agent finds them, DEL leaves nothing', () => livesAndEnds(branch));
test('Pods with branches: packets of the full MTU pass on every way, the key mtu is kept, and who sends more is told', () =>
  everySizeIsRight(branch.spec, ['eth0', 'node0']));
test('a branch: an agent that dies at any step of ADD or DEL leaves nothing that the next call does not mend', () =>
  diesAtEachStep(branch.spec));

test('a branch: what goes wrong around a Pod is said, and no loss', (t) =>
  goesWrong(t, branch.spec, {
    damages: [
      ...serviceVethDamages,
      ['ip link set eth0 address 02:00:00:00:be:ef', /vlan \d+ eth0 .*: its MAC is 02:00:00:00:be:ef/],
      ['ip link set eth0 mtu 1300', /vlan \d+ eth0 .*: its MTU is 1300/],
    ],
    pull: ({ node, parent }) => node.ip(`link del ${parent}`),
    own: { 'VLANs that somebody else has on the trunk: FP283 names the VLAN, and nothing is leased': vlanIsTaken },
  }));

async function vlanIsTaken({ lab, node, pod, parent }: Faulty): Promise<void> {
  assert.equal((await node.call('DEL', pod)).status, 0);
  const { items } = await lab.api.call<{ items: { branch?: { vlan: number } }[] }>('GET', '/v1/nics');
  const vlans = items.flatMap(({ branch: of }) => (of === undefined ? [] : [of.vlan]));
  assert.ok(vlans.length > 0);
  for (const vlan of vlans) node.ip(`link add link ${parent} name mine${vlan} type vlan id ${vlan}`);
  const { stdout } = await node.call('ADD', pod);
  assert.match(stdout, /VLAN \d+ of \w+ is in use by another link.*\(FP283\)/);
  assert.equal((await node.report()).pods.length, 0);
  for (const vlan of vlans) node.ip(`link del mine${vlan}`);
  await node.add(pod);
}
