/**
 * Lets Pods in where a security group of instances decides: from the blocks of all PodSubnets of the cloud. Looked at when these change, and now and then,
 * as others change the group too.
 */
import { pauseAfter } from '../../cloud/limits/backoff.ts';
import type { Clock } from '../../cloud/clock.ts';
import type { SecurityGroup } from '../../cloud/security-group.ts';
import { asFailure, sentence } from '../../errors/failure.ts';
import type { Log } from '../../log.ts';
import { type Cidr, containsCidr } from '../../net/cidr.ts';
import type { PodSubnet } from '../../store/pod-subnet.ts';
import { cloudSubnetsOf } from '../cloud-subnets.ts';
import { decisionFor } from '../refusal-table.ts';
import type { ReadFacts } from '../facts.ts';
import { turns } from '../turns.ts';

/** With what to work. */
export interface LettingIn {
  readonly group: SecurityGroup;
  /** All PodSubnets, as they are now. */
  readonly subnets: () => readonly PodSubnet[];
  readonly facts: ReadFacts;
  readonly clock: Clock;
  readonly log: Log;
  /** In [0, 1); Math.random when absent. */
  readonly random?: () => number;
}

/** It at work. */
export interface LetIn {
  /** PodSubnets are others now. */
  subnetsChanged(): void;
  /** Resolves when nothing of it runs any more. */
  stop(): Promise<void>;
}

const AFTER_ms = 500;
const LOOK_AGAIN_ms = 300_000;
/** More are not one after another what a group needs: somebody changes it all the time. */
const MOST_STEPS = 20;
const THE_GROUP = 'security group';

/** Starts it. */
export function letPodsIn({ group, subnets, facts, clock, log, random = Math.random }: LettingIn): LetIn {
  let [refusals, said] = [0, ''];

  async function pass(): Promise<void> {
    const blocks = await blocksOf(subnets(), facts);
    if (blocks.length === 0) return;
    for (let steps = 0; steps < MOST_STEPS; steps++) {
      const step = await group.next(blocks);
      if (step === undefined) return;
      await group.perform(step);
      log.info(`${group.name}: ${step.text}`);
    }
  }

  const queue = turns(clock, 1, {
    async run() {
      try {
        await pass();
        [refusals, said] = [0, ''];
        return clock.now_ms() + LOOK_AGAIN_ms * (0.75 + random() / 2);
      } catch (error) {
        const failed = asFailure(error);
        const note = `Pods may not be let in by the security group: ${sentence(failed)}`;
        // What goes on being refused is said once.
        if (note !== said) log.warn(note, { code: failed.code });
        said = note;
        return clock.now_ms() + pauseAfter(decisionFor(failed).pause, ++refusals, random);
      }
    },
    deficit: () => 0,
  });
  queue.wake(THE_GROUP, 0);
  return {
    subnetsChanged: () => queue.wake(THE_GROUP, AFTER_ms),
    stop: () => queue.stop(),
  };
}

/** The IPv4 blocks of the cloud's subnets that PodSubnets name, each once; those within others are let in with these. @throws Failure cloud* */
async function blocksOf(subnets: readonly PodSubnet[], facts: ReadFacts): Promise<Cidr[]> {
  const ofCloud = subnets.filter(({ spec }) => spec.range === undefined);
  if (ofCloud.length === 0) return [];
  const known = await facts(ofCloud);
  const all = new Set(ofCloud.flatMap((subnet) => cloudSubnetsOf(subnet, known).flatMap(({ cidr4 }) => cidr4 ?? [])));
  return [...all].filter((block) => ![...all].some((other) => other !== block && containsCidr(other, block))).toSorted();
}
