/** Load balancers at the account's pace, behind the fence and the two switches: what paced.ts, fenced.ts and changes.ts are for interfaces. */
import { failure } from '../../errors/failure.ts';
import type { LoadBalancers, Step } from '../load-balancers.ts';
import type { Turn } from './paced.ts';

/** The same, in turn with all other calls of the account. */
export function pacedBalancers(balancers: LoadBalancers, turn: Turn): LoadBalancers {
  return {
    name: balancers.name,
    list: (tags) => turn('read', 'list load balancers', () => balancers.list(tags)),
    look: (want) => turn('read', `look at ${want.name}`, () => balancers.look(want)),
    leave: (tags) => turn('read', 'look at what is left', () => balancers.leave(tags)),
    perform: (step) => turn(step.kind, step.text, () => balancers.perform(step)),
  };
}

/** The same for reading; a step is sent only while nobody else can lead for as long as it may take. Wrap the driver itself. @throws Failure cloudFenced */
export function fencedBalancers(balancers: LoadBalancers, holdsFor_ms: () => number, longest_ms: number): LoadBalancers {
  return performing(balancers, async (step) => {
    const left_ms = holdsFor_ms();
    if (left_ms < longest_ms) throw failure('cloudFenced', { cloud: balancers.name, call: step.text, left_ms: Math.round(left_ms) });
    await balancers.perform(step);
  });
}

/** As the switches allow. @throws Failure cloudChangesStopped, cloudReleasesStopped */
export function allowedBalancers(
  balancers: LoadBalancers,
  { changes, releases }: { readonly changes: boolean; readonly releases: boolean },
): LoadBalancers {
  return performing(balancers, async (step) => {
    const stopped = { cloud: balancers.name, call: step.text };
    if (!changes) throw failure('cloudChangesStopped', stopped);
    if (!releases && step.isRelease) throw failure('cloudReleasesStopped', stopped);
    await balancers.perform(step);
  });
}

function performing(balancers: LoadBalancers, perform: (step: Step) => Promise<void>): LoadBalancers {
  return {
    name: balancers.name,
    list: (tags) => balancers.list(tags),
    look: (want) => balancers.look(want),
    leave: (tags) => balancers.leave(tags),
    perform,
  };
}
