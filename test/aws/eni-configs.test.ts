/** ENIConfigs that were imported, with the controller at EC2's API: each node's new interfaces are in its ENIConfig's subnet, with its security groups. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CreateSecurityGroupCommand } from '@aws-sdk/client-ec2';
import type { CloudNic } from '../../src/cloud/cloud.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import { servesNode } from '../../src/store/kubernetes/cluster-subnets.ts';
import { importOf } from '../cli/import-support.ts';
import { subnet } from '../controller/harness.ts';
import { SeveralPools } from '../controller/several-pools.ts';
import { site, until } from './site.ts';

const LABEL = 'k8s.amazonaws.com/eniConfig';

/** What `flatpod import aws-node` makes of custom networking with these ENIConfigs, by the ENIConfig's name. */
function imported(configs: Readonly<Record<string, { subnet: string; securityGroups: readonly string[] }>>): PodSubnet[] {
  const env = Object.entries({ AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: 'true', WARM_IP_TARGET: '1' }).map(([name, value]) => ({ name, value }));
  const spec = { template: { spec: { containers: [{ name: 'aws-node', env }] } } };
  const daemonSet = { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'aws-node' }, spec };
  const items = Object.entries(configs).map(([name, one]) => ({ kind: 'ENIConfig', metadata: { name }, spec: one }));
  const { made } = importOf('aws-node', daemonSet, { kind: 'List', items });
  return made.filter(({ kind }) => kind === 'PodSubnet').map(({ name, spec: its }) => subnet(name, withoutSpare(structuredClone(its))));
}

/** The agent of these tests asks for all PodSubnets, whatever the node's label: what it has no Pods of it is to get nothing of. */
function withoutSpare(spec: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { ...spec, warm: { spare: 0 } };
}

test('nodes by their label have interfaces in the subnet and the groups of their ENIConfig, and none of their own serves Pods; a label that changes is for new interfaces', async () => {
  await using at = await site();
  const { bed, lines, networks, truth } = at;
  const nodes = await bed.subnet('10.20.9.0/24', { cidr6: '2001:db8:20::/64' });
  const group = async (GroupName: string): Promise<string> =>
    (await bed.ec2.send(new CreateSecurityGroupCommand({ GroupName, Description: 'of a test' }))).GroupId ?? '';
  const config = async (name: string, cidr: string) => ({
    subnet: await bed.subnet(cidr),
    securityGroups: [await group(name), await group(`${name}-too`)],
  });
  const configs = { a: await config('a', '10.20.1.0/24'), b: await config('b', '10.20.2.0/24') };
  const podSubnets = imported(configs);
  assert.equal(podSubnets.length, 2);
  const servedBy = (name: keyof typeof configs): string => {
    const [found, ...more] = podSubnets.filter((one) => servesNode(one, { labels: { [LABEL]: name }, annotations: {} }));
    assert.deepEqual(more, []);
    return found?.metadata.name ?? assert.fail(name);
  };
  await at.controller(podSubnets);
  const [one, two] = [await bed.launch(nodes), await bed.launch(nodes)];
  using first = disposable(new SeveralPools(networks, one, podSubnets));
  await first.want(servedBy('a'), 2);
  const [config2] = podSubnets.filter(({ metadata }) => metadata.name === servedBy('b'));
  assert.ok(config2 !== undefined);
  const second = await at.node(two, config2, 'n2');
  await second.want(2);
  const podsOf = (name: keyof typeof configs): number => first.pods.get(servedBy(name))?.length ?? 0;
  await until('both nodes are served', () => podsOf('a') === 2 && second.leases.length === 2, lines);
  const like = (nic: CloudNic | undefined, name: keyof typeof configs): void =>
    assert.deepEqual([nic?.subnet, nic?.securityGroups.toSorted()], [configs[name].subnet, configs[name].securityGroups.toSorted()]);
  const placed = async (instance: typeof one): Promise<CloudNic[]> =>
    (await truth.nics({ instance })).toSorted((a, b) => (a.attachment?.deviceIndex ?? 0) - (b.attachment?.deviceIndex ?? 0));
  for (const [instance, name] of [
    [one, 'a'],
    [two, 'b'],
  ] as const) {
    const [own, made, ...more] = await placed(instance);
    assert.deepEqual([own?.attachment?.deviceIndex, own?.subnet, own?.blocks, more], [0, nodes, [], []]);
    like(made, name);
  }
  const [, before] = await placed(one);

  // Its label says b from now on: Pods that are there stay, and those that come are b's.
  await first.want(servedBy('b'), 2);
  await until('Pods of the other ENIConfig are served', () => podsOf('b') === 2, lines);
  const [own, old, made, ...more] = await placed(one);
  assert.deepEqual([own?.blocks, old, more], [[], before, []]);
  like(made, 'b');
});

function disposable(node: SeveralPools): SeveralPools & Disposable {
  return Object.assign(node, { [Symbol.dispose]: () => node.stop() });
}
