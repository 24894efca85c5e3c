/** What the cloud brings to which machine, by its server's own word: interfaces, branches on their trunks, and Pods' addresses on them. */
import assert from 'node:assert/strict';
import type { Cloud, CloudNic, InstanceId } from '../../src/cloud/cloud.ts';
import { type Cidr, contains, hostCidr } from '../../src/net/cidr.ts';
import type { Agent } from '../controller/harness.ts';

/** A machine and its agent. */
export interface NodeOf {
  readonly instance: InstanceId;
  readonly agent: Agent;
}

/** Where Pods' addresses are: in its blocks; when it is for one Pod alone, they are its own. */
export function forPods({ tags, blocks, primary4, primary6 }: CloudNic): readonly Cidr[] {
  const isWhole = ['pod', 'branch'].includes(tags['flatpod.dev/use'] ?? '');
  return isWhole ? [primary4, primary6].flatMap((ip) => (ip === undefined ? [] : [hostCidr(ip)])) : blocks;
}

/** Interfaces in the machines, with the branches on their trunks. */
export async function pluggedInto(cloud: Cloud, instance: InstanceId | readonly InstanceId[]): Promise<CloudNic[]> {
  const own = await cloud.nics({ instance });
  const trunks = own.filter(({ isTrunk }) => isTrunk === true);
  if (trunks.length === 0) return own;
  const ours = await cloud.nics({ tags: { 'flatpod.dev/cluster': trunks[0]?.tags['flatpod.dev/cluster'] ?? '' } });
  return [...own, ...ours.filter(({ branch }) => trunks.some(({ id }) => id === branch?.trunk))];
}

/** What Pods have, the cloud brings to their node; and no address is on two interfaces. @throws AssertionError */
export async function carried(cloud: Cloud, nodes: ReadonlyMap<string, NodeOf>): Promise<void> {
  if (nodes.size === 0) return;
  const nics = await pluggedInto(
    cloud,
    [...nodes.values()].map(({ instance }) => instance),
  );
  const all = nics.flatMap(({ blocks }) => blocks);
  assert.equal(new Set(all).size, all.length, 'an address is on two interfaces');
  const machineOf = ({ branch, attachment }: CloudNic): InstanceId | undefined =>
    (branch === undefined ? attachment : nics.find(({ id }) => id === branch.trunk)?.attachment)?.instance;
  for (const [name, { instance, agent: one }] of nodes) {
    const plugged = nics.filter((nic) => machineOf(nic) === instance);
    for (const ip of one.leases.flatMap(({ addresses }) => addresses))
      assert.ok(
        plugged.some((nic) => forPods(nic).some((block) => contains(block, ip))),
        `${ip} of a Pod on ${name} was taken away`,
      );
    // What the kernel would tell the agent.
    await one.see(new Set(plugged.map(({ id }) => id)));
  }
}

/** Deletes it as soon as it is detached. */
export async function gone(cloud: Cloud, { id }: CloudNic): Promise<void> {
  for (let look = 0; look < 500; look++) {
    const [now] = await cloud.nics({ ids: [id] });
    if (now === undefined) return;
    if (now.attachment === undefined) return cloud.deleteNic(id);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`${id} was not detached`);
}
