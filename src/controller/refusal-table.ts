/** What to do about a refusal of the cloud: one table. (Which refusals are about the address a claim wants, and not about the cloud, the claims say.) */
import type { PauseKind } from '../cloud/limits/backoff.ts';
import type { ErrorName } from '../errors/catalogue.ts';
import type { Failure } from '../errors/failure.ts';
import type { Growth } from '../store/node-network.ts';

/** A failure's name that begins with `cloud`. */
type CloudErrorName = Extract<ErrorName, `cloud${string}`>;

/** What to do next, and after which pause. */
export interface Decision {
  /**
   * - `retry`: the call was not done; the same again, later
   * - `readBack`: nobody knows whether it was done, or our picture is wrong: read everything, then plan anew
   * - `less`: it did not fit; ask for less at once, or leave the subnet alone for the pause
   * - `tell`: asking again is no use until a person changed something; say so, and look again after the pause
   */
  readonly next: 'retry' | 'readBack' | 'less' | 'tell';
  readonly pause: PauseKind;
  /** How it stands in the node's status. */
  readonly stoppedBy: Growth['stoppedBy'];
}

const decisions: Readonly<Record<CloudErrorName, Decision>> = {
  cloudUnavailable: { next: 'readBack', pause: 'medium', stoppedBy: 'cloud' },
  cloudGarbled: { next: 'readBack', pause: 'medium', stoppedBy: 'cloud' },
  cloudThrottled: { next: 'retry', pause: 'long', stoppedBy: 'cloud' },
  cloudConflict: { next: 'readBack', pause: 'short', stoppedBy: 'cloud' },
  cloudNotFound: { next: 'readBack', pause: 'short', stoppedBy: 'cloud' },
  cloudSubnetFull: { next: 'less', pause: 'full', stoppedBy: 'subnet' },
  cloudAddressTaken: { next: 'readBack', pause: 'medium', stoppedBy: 'subnet' },
  cloudLimit: { next: 'tell', pause: 'settled', stoppedBy: 'instance' },
  cloudQuota: { next: 'tell', pause: 'settled', stoppedBy: 'cloud' },
  cloudDenied: { next: 'tell', pause: 'settled', stoppedBy: 'cloud' },
  cloudUntrusted: { next: 'tell', pause: 'settled', stoppedBy: 'cloud' },
  cloudCredentials: { next: 'tell', pause: 'settled', stoppedBy: 'cloud' },
  cloudInvalid: { next: 'tell', pause: 'settled', stoppedBy: 'cloud' },
  cloudFenced: { next: 'retry', pause: 'short', stoppedBy: 'cloud' },
  cloudChangesStopped: { next: 'tell', pause: 'medium', stoppedBy: 'switch' },
  cloudReleasesStopped: { next: 'tell', pause: 'medium', stoppedBy: 'switch' },
};

/** What a failure of our own asks for: the call may have been made. */
const defect: Decision = { next: 'readBack', pause: 'medium', stoppedBy: 'cloud' };

/** The decision for a failure of a cloud call; a failure that is none of the cloud's is treated as an unclear answer. */
export function decisionFor(failed: Failure): Decision {
  return Object.hasOwn(decisions, failed.kind) ? decisions[failed.kind as CloudErrorName] : defect;
}
