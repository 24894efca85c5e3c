/** The controller, the driver and EC2's API together, while somebody else has a hand in it: fragments, tags, terminations, interfaces moved by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CreateNetworkInterfaceCommand,
  CreateTagsCommand,
  DeleteNetworkInterfaceCommand,
  DeleteTagsCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { systemClock } from '../../src/cloud/clock.ts';
import type { NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { noSightings, sweep } from '../../src/controller/sweeper.ts';
import { usualTimings } from '../../src/controller/world.ts';
import { createLog } from '../../src/log.ts';
import { subnet } from '../controller/harness.ts';
import { type Site, site, until } from './site.ts';

const tag = { Key: 'kubernetes.io/role/cni', Value: '1' };
/** Instances are launched in subnets with IPv6. */
const six = { cidr6: '2001:db8:20::/64' };
const few = { warm: { spare: 0 }, default: true };

/** Takes one address of each aligned block of 16. */
async function fragment({ bed }: Site, id: SubnetId): Promise<void> {
  for (const last of [7, 23, 39, 55])
    await bed.ec2.send(new CreateNetworkInterfaceCommand({ SubnetId: id, PrivateIpAddress: `10.20.0.${last}` }));
}

test('free addresses, but no /28 in one piece: the Pod is told what helps, and the PodSubnet of the next priority grows', async () => {
  await using at = await site();
  const { bed, lines, networks } = at;
  const [fragmented, other] = [await bed.subnet('10.20.0.0/26'), await bed.subnet('10.20.1.0/24', six)];
  await fragment(at, fragmented);
  assert.ok(((await bed.cloud.subnets([fragmented]))[0]?.free4 ?? 0) > 50);
  const instance = await bed.launch(other);
  await at.controller([
    subnet('prefixes', { cloudSubnet: fragmented, unit: 'prefix', priority: 10, ...few }),
    subnet('addresses', { cloudSubnet: other, ...few }),
  ]);
  const want = (name: string, waiting: number) => ({ subnet: name, inUse: 0, cooling: 0, waiting });
  // As the agent asks: first of the PodSubnet that comes first, and of the next when that says that it is stopped.
  await networks.writeSpec('n1', { instance, demand: [want('prefixes', 1), want('addresses', 0)], returned: [] });
  const growth = async () => (await at.status()).growth.find((one) => one.subnet === 'prefixes');
  await until('it is said', async () => (await growth())?.stoppedBy === 'subnet', lines);
  const text = (await growth())?.text ?? '';
  assert.match(text, /has no room for 1 addresses and 1 \/28 prefixes: InsufficientCidrBlocks/);
  assert.match(text, /reserve a part of the subnet for prefixes \(subnet CIDR reservation\), or use a PodSubnet with unit: address/);
  await networks.writeSpec('n1', { instance, demand: [want('prefixes', 1), want('addresses', 1)], returned: [] });
  await until('the next one grows', async () =>
    (await at.status()).nics.some((nic) => nic.subnet === 'addresses' && nic.blocks.length > 0),
  );
  assert.deepEqual(await at.ours(), [], 'nothing was made in vain');
});

test('subnets are found by tag, the emptiest of the zone is used, then the next; a tag put on later is seen', async () => {
  await using at = await site();
  const { bed, lines } = at;
  const nodes = await bed.subnet('10.20.9.0/24', six);
  // A /28 has 11 addresses to give: three interfaces with three more are 12.
  const [small, far, late] = [
    await bed.subnet('10.20.0.0/28'),
    await bed.subnet('10.20.1.0/24', { zone: 'z2' }),
    await bed.subnet('10.20.2.0/24'),
  ];
  await bed.ec2.send(new CreateTagsCommand({ Resources: [small, far], Tags: [tag] }));
  const config = subnet('pods', { cloudSubnets: { tags: { [tag.Key]: tag.Value } }, ...few });
  await at.controller([config]);
  const instances = [await bed.launch(nodes), await bed.launch(nodes)];
  const [one, two] = await Promise.all(instances.map((instance, i) => at.node(instance, config, `n${i + 1}`)));
  await Promise.all([one?.want(6), two?.want(6)]);
  const served = () => (one?.leases.length ?? 0) + (two?.leases.length ?? 0);
  await until('the small one is full', async () => (await bed.cloud.subnets([small]))[0]?.free4 === 0 || served() >= 8, lines);
  assert.ok((await at.ours()).every((nic) => nic.subnet === small));
  await bed.ec2.send(new CreateTagsCommand({ Resources: [late], Tags: [tag] }));
  // Those that were told that all are full ask again when a Pod comes or the pause is over: a third node is told nothing of the kind.
  const third = await at.node(await bed.launch(nodes), config, 'n3');
  await third.want(2);
  await until('the third is served', () => third.leases.length === 2, lines);
  assert.deepEqual(
    new Set((await at.ours()).filter(({ tags }) => tags['flatpod.dev/node'] === 'n3').map((nic) => nic.subnet)),
    new Set([late]),
  );
});

test('a subnet that loses its tag keeps its Pods and gets no further interface', async () => {
  await using at = await site();
  const { bed, lines } = at;
  const nodes = await bed.subnet('10.20.9.0/24', six);
  const [first, second] = [await bed.subnet('10.20.0.0/24'), await bed.subnet('10.20.1.0/25')];
  await bed.ec2.send(new CreateTagsCommand({ Resources: [first, second], Tags: [tag] }));
  const config = subnet('pods', { cloudSubnets: { tags: { [tag.Key]: tag.Value } }, ...few });
  await at.controller([config]);
  const node = await at.node(await bed.launch(nodes), config);
  await node.want(2);
  await until('two Pods', () => node.leases.length === 2, lines);
  const before = node.leases.flatMap(({ addresses }) => addresses);
  assert.deepEqual(
    (await at.ours()).map((nic) => nic.subnet),
    [first],
    'it has more free addresses',
  );
  await bed.ec2.send(new DeleteTagsCommand({ Resources: [first], Tags: [{ Key: tag.Key }] }));
  const reads = () => at.between.calls.filter(({ action }) => action === 'DescribeSubnets').length;
  const then = reads();
  await until('the subnets are read again', () => reads() > then + 2, lines);
  await node.want(6);
  await until('six Pods', () => node.leases.length === 6, lines);
  assert.deepEqual(
    node.leases.slice(0, 2).flatMap(({ addresses }) => addresses),
    before,
  );
  assert.deepEqual((await at.ours()).map((nic) => nic.subnet).toSorted(), [first, second].toSorted());
});

test('an instance that is terminated while its interfaces attach: nothing is left of it', async () => {
  await using at = await site();
  const { bed, between, lines } = at;
  const id = await bed.subnet('10.20.0.0/24', six);
  const instance = await bed.launch(id);
  const config = subnet('pods', { cloudSubnet: id, ...few });
  const terminating: Promise<unknown>[] = [];
  // In the moment between an interface's birth and its attachment.
  between.lose = ({ action }) => {
    if (action === 'AttachNetworkInterface' && terminating.length === 0)
      terminating.push(bed.ec2.send(new TerminateInstancesCommand({ InstanceIds: [instance] })));
    return undefined;
  };
  await at.controller([config]);
  const node = await at.node(instance, config);
  await node.want(8);
  await until('it is asked to attach', () => terminating.length > 0, lines);
  await Promise.all(terminating);
  await until('the node is told', async () => (await at.status()).growth[0]?.text === `instance ${instance} is terminated`, lines);
  node.stop();
  at.networks.remove('n1');
  await until('nothing is attached', async () => (await at.ours()).every(({ attachment }) => attachment === undefined), lines);
  // One that was born and could not be attached any more is found by its tags.
  const seen = noSightings();
  let now_ms = Date.now();
  const clock = { ...systemClock, now_ms: () => now_ms };
  const log = createLog('test', 'error', () => undefined);
  for (let sweeps = 0; sweeps < 3; sweeps++) {
    await sweep(
      { cloud: at.truth, cluster: 'test', networks: at.networks, clock, timings: usualTimings, random: Math.random, log },
      seen,
      false,
    );
    now_ms += usualTimings.sweepAge_ms + 60_000;
  }
  assert.deepEqual(await at.ours(), [], 'nothing of it is left');
});

test('interfaces detached and deleted by hand: the Pods that wait get others, and what was detached is used again or deleted', async () => {
  await using at = await site();
  const { bed, between, lines } = at;
  const id = await bed.subnet('10.20.0.0/24', six);
  const instance = await bed.launch(id);
  const config = subnet('pods', { cloudSubnet: id, useFirstNic: false, ...few });
  await at.controller([config]);
  const node = await at.node(instance, config);
  await node.want(3);
  await until('three Pods', () => node.leases.length === 3, lines);
  const [nic] = await at.ours();
  assert.ok(nic !== undefined);
  await bed.cloud.detachNic(nic.id);
  // As the agent does when it sees its NIC gone.
  await until('it is plugged in again, with its addresses', async () => (await at.ours())[0]?.attachment?.state === 'attached', lines);
  assert.deepEqual(
    (await at.ours()).map(({ id: one, blocks }) => [one, blocks.length]),
    [[nic.id, 3]],
  );

  // Between the two the controller might plug it in again, or delete it itself.
  between.lose = ({ action }) => (/^(Attach|Delete)NetworkInterface$/.test(action) ? 'request' : undefined);
  await bed.cloud.detachNic(nic.id);
  await bed.ec2.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId: nic.id }));
  between.lose = () => undefined;
  await until('the grant is gone', async () => !(await at.status()).nics.some((one) => one.id === nic.id), lines);
  await node.want(0);
  await node.want(2);
  await until('two Pods on another interface', async () => node.leases.length === 2 && (await at.ours()).length === 1, lines);
  assert.notEqual((await at.ours())[0]?.id, nic.id);
});

test('an interface that somebody attaches by hand takes a place, is not ours, and is never touched', async () => {
  await using at = await site();
  const { bed, lines } = at;
  const id = await bed.subnet('10.20.0.0/24', six);
  const instance = await bed.launch(id);
  const config = subnet('pods', { cloudSubnet: id, useFirstNic: false, ...few });
  const theirs = await bed.ec2.send(new CreateNetworkInterfaceCommand({ SubnetId: id, SecondaryPrivateIpAddressCount: 2 }));
  const foreign = theirs.NetworkInterface?.NetworkInterfaceId as NicId; // an id of EC2's own
  await bed.cloud.attachNic(foreign, instance, 1);
  await at.controller([config]);
  const node = await at.node(instance, config);
  await node.want(6);
  await until('three of six Pods', () => node.leases.length === 3, lines);
  await until(
    'the others are told why',
    async () =>
      (await at.status()).growth[0]?.text ===
      'instance type t3.small is full: 3 of 3 interfaces attached, 4 address slots each; 3 more addresses wanted',
    lines,
  );
  const [seen] = await at.truth.nics({ ids: [foreign] });
  assert.deepEqual([seen?.attachment?.deviceIndex, seen?.blocks.length], [1, 2]);
  // Taken out by hand, its place is ours.
  await bed.cloud.detachNic(foreign);
  await until('six Pods', () => node.leases.length === 6, lines);
  assert.ok((await at.truth.nics({ ids: [foreign] })).length === 1);
});

for (const [what, tags] of [
  ['of EKS’s resource controller', [{ Key: 'eks:eni:owner', Value: 'eks-vpc-resource-controller' }]],
  ['without any tag', []],
] as const) {
  test(`a trunk ${what} that hangs on the instance carries no branch of ours: one of our own is made, and the Pods are served`, async () => {
    await using at = await site({ branches: { 'm5.large': 9 } });
    const { bed, lines } = at;
    const id = await bed.subnet('10.20.0.0/24', six);
    const instance = await bed.launch(id, 'm5.large');
    const theirs = await bed.ec2.send(new CreateNetworkInterfaceCommand({ SubnetId: id, InterfaceType: 'trunk' }));
    const foreign = theirs.NetworkInterface?.NetworkInterfaceId as NicId; // an id of EC2's own
    await bed.driver().attachNic(foreign, instance, 1);
    if (tags.length > 0) await bed.ec2.send(new CreateTagsCommand({ Resources: [foreign], Tags: [...tags] }));
    const config = subnet('pods', { cloudSubnet: id, default: true, datapath: 'branch', warm: { spare: 0 } });
    await at.controller([config]);
    const node = await at.node(instance, config);
    await node.want(2);
    await until('both Pods are served', () => node.leases.length === 2, lines);
    const [own, ...more] = (await at.ours()).filter(({ isTrunk }) => isTrunk === true);
    assert.deepEqual([own?.attachment?.deviceIndex, more.length], [2, 0]);
    assert.deepEqual(
      (await at.ours()).flatMap(({ branch }) => (branch === undefined ? [] : [branch.trunk])),
      [own?.id, own?.id],
    );
  });
}
