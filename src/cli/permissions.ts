/**
 * Says what the account of the cloud may not do, before the first Pod finds out: at start, and again when there is a subnet that was not asked about.
 * Nothing depends on the answer: a call that is refused later is told as well.
 */
import type { Clock } from '../cloud/clock.ts';
import type { Cloud, SubnetId } from '../cloud/cloud.ts';
import { pauseAfter } from '../cloud/limits/backoff.ts';
import { areTags } from '../cloud/named.ts';
import { turns } from '../controller/turns.ts';
import { asFailure, sentence } from '../errors/failure.ts';
import type { Log } from '../log.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { sayCloudSubnets, subnetsNamed } from '../store/subnet-id.ts';

/** With what to ask. */
export interface Asking {
  readonly cloud: Cloud;
  /** All PodSubnets, as they are now. */
  readonly subnets: () => readonly PodSubnet[];
  readonly clock: Clock;
  readonly log: Log;
  /** In [0, 1); Math.random when absent. */
  readonly random?: () => number;
}

/** It at work. */
export interface Permissions {
  /** PodSubnets are others now. */
  subnetsChanged(): void;
  /** From now on nothing is said; what is being asked is left to its end. */
  stop(): void;
}

/** Gathers PodSubnets that are made together. */
const AFTER_ms = 500;
/** A subnet may get the tags that a PodSubnet names. */
const LOOK_AGAIN_ms = 300_000;
const THE_ACCOUNT = 'account';

/** Begins to ask, in the background, and logs each permission that is missing once. */
export function sayPermissions({ cloud, subnets, clock, log, random = Math.random }: Asking): Permissions {
  const { name } = cloud;
  const asked = new Set<SubnetId>();
  const said = new Set<string>();
  let refusals = 0;
  let stopped = false;

  function sayOnce(level: 'info' | 'warn', text: string, more: { readonly missing?: string } = {}): void {
    if (!stopped && !said.has(text)) log[level](text, more);
    said.add(text);
  }

  /** Whether there is something left that no event will tell of. */
  async function ask(): Promise<boolean> {
    const ofCloud = subnets().filter(({ spec }) => spec.range === undefined);
    if (ofCloud.length === 0) sayOnce('info', `${name}: what the account may do is asked when there is a PodSubnet of this cloud`);
    const found = await Promise.all(ofCloud.map(async (subnet) => ({ subnet, ids: await idsOf(subnet, cloud) })));
    const none = found.filter(({ ids }) => ids.length === 0);
    for (const { subnet } of none)
      sayOnce(
        'warn',
        `${name}: what the account may do could not be asked for PodSubnet ${subnet.metadata.name}: there is no subnet ${sayCloudSubnets(subnet)}`,
      );
    const fresh = [...new Set(found.flatMap(({ ids }) => ids))].filter((id) => !asked.has(id));
    if (fresh.length > 0) {
      const missing = (await cloud.missingPermissions?.(fresh)) ?? [];
      for (const id of fresh) asked.add(id);
      for (const one of missing) sayOnce('warn', `${name}: this account lacks ${one}`, { missing: one });
      if (missing.length === 0) sayOnce('info', `${name}: the account may do all that is needed`);
    }
    return none.length > 0;
  }

  const queue = turns(clock, 1, {
    async run() {
      try {
        const isLeft = await ask();
        refusals = 0;
        return isLeft ? clock.now_ms() + LOOK_AGAIN_ms : undefined;
      } catch (error) {
        sayOnce('warn', `${name}: what the account may do could not be asked: ${sentence(asFailure(error))}`);
        return clock.now_ms() + pauseAfter('settled', ++refusals, random);
      }
    },
    deficit: () => 0,
  });
  // A cloud that cannot be asked never is.
  const wake = (): void => void (cloud.missingPermissions !== undefined && queue.wake(THE_ACCOUNT, AFTER_ms));
  wake();
  return {
    subnetsChanged: wake,
    stop() {
      stopped = true;
      void queue.stop();
    },
  };
}

async function idsOf(subnet: PodSubnet, cloud: Cloud): Promise<readonly SubnetId[]> {
  const named = subnetsNamed(subnet);
  return areTags(named) ? (await cloud.subnets(named)).map(({ id }) => id) : named;
}
