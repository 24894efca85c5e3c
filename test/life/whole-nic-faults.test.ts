/** Faults around Pods that have a NIC for themselves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Faulty, diesAtEachStep, goesWrong, serviceVethDamages } from './underlay-faults.ts';
import { inside } from './underlay.ts';

const spec = 'datapath: nic';

test('a NIC of a Pod: an agent that dies at any step of ADD or DEL leaves nothing that the next call does not mend', () =>
  diesAtEachStep(spec));

test('a NIC of a Pod: what goes wrong around it is said, and no loss', (t) =>
  goesWrong(t, spec, {
    damages: [
      ...serviceVethDamages,
      ['ip link set eth0 address 02:00:00:00:be:ef', /NIC .* as eth0 .*: its MAC is 02:00:00:00:be:ef/],
      ['ip link set eth0 down; ip link set eth0 name mine', /NIC .* as eth0 .*: it is called mine/],
      ['ip link set eth0 mtu 1300', /link eth0 up mtu 1500 .*: its MTU is 1300/],
    ],
    pull: ({ pod }) => inside(pod.netns, 'ip link del eth0'),
    own: {
      'status says what became of the NIC of a running Pod': statusIsHonest,
      'one whose MAC the Pod changed comes home with its own, and serves the next Pod': comesHome,
    },
  }));

async function statusIsHonest({ node, pod }: Faulty): Promise<void> {
  const own = async () => {
    const { pods, nics } = await node.report();
    return [pods[0]?.lost, nics.filter(({ subnet, place }) => subnet === 'pods' && place === 'Pod').length];
  };
  assert.deepEqual(await own(), ['', 1]);
  inside(pod.netns, 'ip link set eth0 down; ip link set eth0 name mine');
  assert.match(String((await own())[0]), /^NIC .* as eth0 in .*: it is called mine$/);
  await node.ask('repair');
  assert.deepEqual(await own(), ['', 1]);
}

async function comesHome({ node, pod }: Faulty): Promise<void> {
  const macs = async (): Promise<string[]> => (await node.report()).nics.map(({ mac }) => mac).toSorted();
  const before = await macs();
  inside(pod.netns, 'ip link set eth0 address 02:00:00:00:be:ef');
  assert.equal((await node.call('DEL', pod)).status, 0);
  assert.deepEqual(await macs(), before);
  assert.doesNotMatch(node.ip('link show'), /02:00:00:00:be:ef|alias flatpod.*:nic/);
  await node.add(pod);
}
