/** What is changed step by step, behind the fence and the two switches: what fenced.ts and changes.ts are for interfaces. */
import { failure } from '../../errors/failure.ts';
import type { Step } from '../load-balancers.ts';

/** A part of a cloud that says itself what comes next, such as its load balancers. */
export interface Stepwise {
  readonly name: string;
  perform(step: Step): Promise<void>;
}

/** The same for reading; a step is sent only while nobody else can lead for as long as it may take. Wrap the driver itself. @throws Failure cloudFenced */
export function fencedSteps<T extends Stepwise>(part: T, holdsFor_ms: () => number, longest_ms: number): T {
  return performing(part, async (step) => {
    const left_ms = holdsFor_ms();
    if (left_ms < longest_ms) throw failure('cloudFenced', { cloud: part.name, call: step.text, left_ms: Math.round(left_ms) });
    await part.perform(step);
  });
}

/** As the switches allow. @throws Failure cloudChangesStopped, cloudReleasesStopped */
export function allowedSteps<T extends Stepwise>(
  part: T,
  { changes, releases }: { readonly changes: boolean; readonly releases: boolean },
): T {
  return performing(part, async (step) => {
    const stopped = { cloud: part.name, call: step.text };
    if (!changes) throw failure('cloudChangesStopped', stopped);
    if (!releases && step.isRelease) throw failure('cloudReleasesStopped', stopped);
    await part.perform(step);
  });
}

function performing<T extends Stepwise>(part: T, perform: Stepwise['perform']): T {
  return { ...part, perform };
}
