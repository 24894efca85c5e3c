/** Says at start what the account of the cloud may not do, before the first Pod finds out. */
import type { Cloud, SubnetId } from '../cloud/cloud.ts';
import { asFailure, sentence } from '../errors/failure.ts';
import type { Log } from '../log.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';

/** Asks in the background, and logs each permission that is missing. Nothing depends on the answer: a call that is refused later is told as well. */
export function sayPermissions(cloud: Cloud, subnets: readonly { readonly subnet: PodSubnet }[], log: Log): void {
  // A subnet's id is the cloud's own, as the configuration has it.
  const ids = subnets.flatMap(
    ({
      subnet: {
        spec: { cloudSubnet },
      },
    }) => (cloudSubnet === undefined ? [] : [cloudSubnet as SubnetId]),
  );
  const { name } = cloud;
  if (cloud.missingPermissions === undefined || ids.length === 0) return;
  const asking = cloud.missingPermissions(ids).then((missing) => {
    for (const one of missing) log.warn(`${name}: this account lacks ${one}`, { missing: one });
    if (missing.length === 0) log.info(`${name}: the account may do all that is needed`);
  });
  asking.catch((error: unknown) => log.warn(`${name}: what the account may do could not be asked: ${sentence(asFailure(error))}`));
}
