/** Says at start what the account of the cloud may not do, before the first Pod finds out. */
import type { Cloud, SubnetId } from '../cloud/cloud.ts';
import { areTags } from '../cloud/named.ts';
import { asFailure, sentence } from '../errors/failure.ts';
import type { Log } from '../log.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { subnetsNamed } from '../store/subnet-id.ts';

/** Asks in the background, and logs each permission that is missing. Nothing depends on the answer: a call that is refused later is told as well. */
export function sayPermissions(cloud: Cloud, subnets: readonly { readonly subnet: PodSubnet }[], log: Log): void {
  say(cloud, subnets, log).catch((error: unknown) =>
    log.warn(`${cloud.name}: what the account may do could not be asked: ${sentence(asFailure(error))}`),
  );
}

async function say(cloud: Cloud, subnets: readonly { readonly subnet: PodSubnet }[], log: Log): Promise<void> {
  const { name } = cloud;
  if (cloud.missingPermissions === undefined) return;
  const ofClouds = subnets.filter(({ subnet }) => subnet.spec.range === undefined);
  const ids = (await Promise.all(ofClouds.map(({ subnet }) => idsOf(subnet, cloud)))).flat();
  if (ids.length === 0) return;
  const missing = await cloud.missingPermissions(ids);
  for (const one of missing) log.warn(`${name}: this account lacks ${one}`, { missing: one });
  if (missing.length === 0) log.info(`${name}: the account may do all that is needed`);
}

async function idsOf(subnet: PodSubnet, cloud: Cloud): Promise<readonly SubnetId[]> {
  const named = subnetsNamed(subnet);
  return areTags(named) ? (await cloud.subnets(named)).map(({ id }) => id) : named;
}
