/** What keeps a pool from asking for anything. */
import type { CloudInstance, CloudSubnet } from '../cloud/cloud.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { subnetIdOf } from '../store/subnet-id.ts';
import { blocksBeyond } from '../store/within.ts';
import { nearSubnets, whyNoneNear } from './cloud-subnets.ts';
import type { SubnetPool } from './pools.ts';
import type { Situation } from './situation.ts';
import type { Stop } from './stop.ts';

/** What forbids to ask for anything at all for this pool; undefined: nothing. `config` and `cloudSubnet` are what was found for it. */
export function obstacle(pool: SubnetPool, situation: Situation): Stop | undefined {
  const { config, name } = pool;
  const { instance, spec } = situation;
  if (instance.state === 'terminated') return { stoppedBy: 'instance', text: `instance ${instance.id} is terminated` };
  if (spec.draining !== undefined) return { stoppedBy: 'switch', text: 'the node is draining' };
  if (situation.stopped !== undefined) return situation.stopped;
  if (config === undefined) return { stoppedBy: 'subnet', text: `there is no PodSubnet ${name} any more` };
  if (pool.isUnplugged) {
    const text = `the node has no interface ${config.spec.range?.parent ?? ''}, which PodSubnet ${name} names: make it, or leave the node out by spec.nodeSelector`;
    return { stoppedBy: 'instance', text };
  }
  const clash = situation.clashes.get(name);
  if (clash !== undefined) return { stoppedBy: 'subnet', text: clash };
  const stopped = situation.growthStopped.get(name);
  if (stopped !== undefined) return stopped;
  if (config.spec.cloudSubnets !== undefined) return noneNear(config, situation);
  return misplaced(config, situation.cloudSubnets.get(subnetIdOf(config)), instance);
}

/** Of several subnets none can be used, or all are full. */
function noneNear(config: PodSubnet, situation: Situation): Stop | undefined {
  const { name } = config.metadata;
  const { instance, tagged, fullSubnets } = situation;
  const { problem } = tagged.get(name) ?? {};
  if (problem !== undefined) return { stoppedBy: 'subnet', text: problem };
  const near = nearSubnets(config, situation);
  if (near.length === 0) return { stoppedBy: 'subnet', text: whyNoneNear(config, situation) };
  const [first, ...others] = near.flatMap(({ id }) => fullSubnets.get(id) ?? []);
  if (first === undefined || others.length + 1 < near.length) return undefined;
  const too = near.map(({ id }) => id).join(', ');
  return others.length === 0
    ? first
    : { ...first, text: `all ${near.length} subnets in zone ${instance.zone} are full (${too}): ${first.text}` };
}

function misplaced(config: PodSubnet, cloudSubnet: CloudSubnet | undefined, instance: CloudInstance): Stop | undefined {
  const { name } = config.metadata;
  if (cloudSubnet === undefined) {
    return { stoppedBy: 'subnet', text: `the cloud knows no subnet ${subnetIdOf(config)}, which PodSubnet ${name} names` };
  }
  if (cloudSubnet.refused !== undefined) return { stoppedBy: 'subnet', text: cloudSubnet.refused };
  const beyond = blocksBeyond(config, cloudSubnet.cidr4);
  if (beyond !== undefined) return { stoppedBy: 'subnet', text: beyond };
  if (cloudSubnet.zone === undefined || cloudSubnet.zone === instance.zone) return undefined;
  const text = `subnet ${cloudSubnet.id} is in zone ${cloudSubnet.zone}, instance ${instance.id} in ${instance.zone}: its interfaces cannot be attached`;
  return { stoppedBy: 'instance', text };
}
