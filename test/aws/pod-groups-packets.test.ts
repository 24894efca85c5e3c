/**
 * Security groups per Pod, with packets: two PodSubnets with datapath branch and groups of their own become branches of one trunk by EC2's API, and the VPC
 * enforces what each group says, for IPv4 and IPv6. How a Pod is put behind its branch the guest's tests show (test/life/branch.nft.guest.ts). Needs root
 * and network namespaces.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CreateSecurityGroupCommand } from '@aws-sdk/client-ec2';
import type { CloudNic, InstanceId } from '../../src/cloud/cloud.ts';
import { openNetns } from '../../src/kernel/netns.ts';
import { askWhoAmI, listenIn } from '../../src/kernel/sockets.ts';
import { parseIp } from '../../src/net/address.ts';
import { subnet } from '../controller/harness.ts';
import { eventually } from '../life/lab.ts';
import { inside } from '../vpc/site.ts';
import { guestsOf } from '../vpc/tagged.ts';
import { site, until } from './site.ts';

const type = 'm5.large';
const ports = [8080, 9090] as const;
/** For an answer that comes. */
const PATIENCE_ms = 10_000;

test('two Pods of one node have branches with groups of their own: each is reached at the port that its group lets in, and at no other', async () => {
  const name = `fpg${process.pid % 1000}`;
  await using at = await site({ branches: { [type]: 9 } }, { fabric: true, name });
  const { bed, lines } = at;
  const id = await bed.subnet('10.20.0.0/24', { cidr6: '2001:db8:20::/64' });
  const [instance, peerId] = [await bed.launch(id, type), await bed.launch(id)];
  const groups = await Promise.all(ports.map((port) => groupFor(bed, port)));
  const subnets = groups.map((group, i) =>
    subnet(`group-${i}`, { cloudSubnet: id, datapath: 'branch', securityGroups: [group], families: [4, 6], warm: { spare: 0 } }),
  );
  await at.controller(subnets);
  const waiting = subnets.map(({ metadata }) => ({ subnet: metadata.name, inUse: 0, cooling: 0, waiting: 1 }));
  await at.networks.writeSpec('n1', { instance, demand: waiting, returned: [] });
  const branches = async (): Promise<CloudNic[]> => (await at.ours()).filter(({ branch }) => branch !== undefined);
  await until('both have a branch', async () => (await branches()).length === 2, lines);
  const pods = (await branches()).toSorted((a, b) => groups.indexOf(a.securityGroups[0] ?? '') - groups.indexOf(b.securityGroups[0] ?? ''));
  assert.deepEqual(
    pods.map(({ securityGroups }) => securityGroups),
    groups.map((group) => [group]),
  );
  assert.equal(new Set(pods.map(({ branch }) => branch?.trunk)).size, 1, 'one trunk for both');

  const netnsOf = (of: InstanceId) => ({ netns: `/run/netns/${name}-${of}` });
  await inside(netnsOf(instance), 'ip link set eth1 up');
  const tagged = pods.map(({ branch, mac, primary4 = '', primary6 = '' }) => [branch?.vlan ?? 0, { mac, primary4, primary6 }] as const);
  const guests = await guestsOf(netnsOf(instance), tagged, '10.20.0.1');
  using open = new DisposableStack();
  for (const guest of guests) open.use(guest);
  for (const guest of guests) {
    const netns = open.use(openNetns(guest.netns));
    for (const port of ports) {
      const server = await listenIn(netns, port);
      open.defer(() => void server.close());
    }
  }
  const peer = open.use(openNetns(netnsOf(peerId).netns));
  const other = open.use(openNetns(guests[1]?.netns ?? ''));
  for (const [i, pod] of pods.entries())
    for (const to of [pod.primary4, pod.primary6]) {
      assert.ok(to !== undefined);
      const [own, others] = [ports[i] ?? 0, ports[1 - i] ?? 0];
      await eventually(`port ${own} of ${to} is let in`, async () => (await askWhoAmI(peer, parseIp(to), own, 2000)) !== '');
      await assert.rejects(askWhoAmI(peer, parseIp(to), others, 400), `port ${others} of ${to} is let in by the other group alone`);
      if (i === 0) {
        // Also between two Pods of one node: a branch leaves its node.
        assert.equal(await askWhoAmI(other, parseIp(to), own, PATIENCE_ms), to === pod.primary4 ? pods[1]?.primary4 : pods[1]?.primary6);
        await assert.rejects(askWhoAmI(other, parseIp(to), others, 400));
      }
    }
  const dropped = (await bed.vpc.call('GET', '/v1/drops')).body.items
    .filter(({ reason }: { reason: string }) => reason === 'SecurityGroupIngress')
    .map(({ address }: { address: string }) => address);
  for (const { primary4, primary6 } of pods)
    for (const address of [primary4, primary6]) assert.ok(dropped.includes(address), `dropped on the way to ${address}`);
});

/** Lets everything out, and in what comes by TCP to that port. */
async function groupFor({ ec2, vpc }: Awaited<ReturnType<typeof site>>['bed'], port: number): Promise<string> {
  const { GroupId = '' } = await ec2.send(new CreateSecurityGroupCommand({ GroupName: `port-${port}`, Description: 'of a test' }));
  const everywhere = ['0.0.0.0/0', '::/0'];
  const rules = everywhere.flatMap((cidr) => [
    { direction: 'egress', protocol: 'any', cidr },
    { direction: 'ingress', protocol: 'tcp', ports: { from: port, to: port }, cidr },
  ]);
  const answer = await vpc.call('PUT', `/v1/security-groups/${GroupId}/rules`, { rules });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return GroupId;
}
