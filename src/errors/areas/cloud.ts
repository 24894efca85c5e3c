/** FP160–FP179: a cloud's refusals and silences. */
import type { ErrorEntry } from '../entry.ts';

/** Entries of this area, by name. */
export const cloudErrors = {
  cloudUnavailable: {
    code: 160,
    cni: 11,
    message: '{cloud} did not answer {call}',
    details: '{text}',
    hint: 'Flatpod goes on serving from the addresses it has and retries by itself; check that {endpoint} is reachable',
  },
  cloudThrottled: {
    code: 161,
    cni: 11,
    message: '{cloud} throttles {call}',
    details: '{text}',
    hint: 'retried with a growing pause; raise the warm target so that bursts need fewer calls',
  },
  cloudSubnetFull: {
    code: 162,
    cni: 162,
    message: 'subnet {subnet} has no room for {wanted}',
    details: '{text}',
    hint: 'add a CIDR or another PodSubnet, or lower the warm targets of nodes that hold spare addresses',
  },
  cloudLimit: {
    code: 163,
    cni: 163,
    message: '{cloud} refuses {call}: a limit is reached',
    details: '{text}',
    hint: 'a larger instance type has more interfaces and addresses; prefixes give 16 addresses for one slot',
  },
  cloudNotFound: {
    code: 164,
    cni: 164,
    message: '{cloud} does not know {object}',
    details: '{text}',
    hint: 'was it deleted by hand? Flatpod reads back and creates what it needs again',
  },
  cloudConflict: {
    code: 165,
    cni: 165,
    message: '{cloud} refuses {call}: {object} is in another state',
    details: '{text}',
    hint: 'Flatpod reads back and tries again from what it finds',
  },
  cloudDenied: {
    code: 166,
    cni: 166,
    message: '{cloud} does not permit {call}',
    details: '{text}',
    hint: 'give the controller the permissions listed in the documentation of this cloud',
  },
  cloudInvalid: {
    code: 167,
    cni: 167,
    message: '{cloud} calls {call} invalid',
    details: '{text}',
    hint: 'this is a defect of the driver or of the configuration: please report it with this line',
  },
  cloudGarbled: {
    code: 168,
    cni: 11,
    message: '{cloud} answered {call} with something that cannot be read',
    details: '{text}',
    hint: 'is {endpoint} really the API, with no proxy in between that answers for it?',
  },
  cloudChangesStopped: {
    code: 169,
    cni: 11,
    message: 'changing calls to {cloud} are switched off',
    details: '{call} was not made',
    hint: 'switch them on again with spec.cloud.changes: true',
  },
  cloudReleasesStopped: {
    code: 172,
    cni: 11,
    message: 'giving back to {cloud} is switched off',
    details: '{call} was not made',
    hint: 'switch it on again with spec.cloud.releases: true',
  },
  cloudFenced: {
    code: 170,
    cni: 11,
    message: '{call} was not made: this controller may not be the leader for as long as the call could take',
    details: 'it surely leads {cloud} for another {left_ms} ms',
    hint: 'nothing was changed; the controller that leads does it. If this goes on, the API server answers too slowly for the Lease to be renewed',
  },
  cloudAddressTaken: {
    code: 171,
    cni: 171,
    message: '{cloud} cannot give {address}: {holder} holds it',
    details: '{text}',
    hint: 'Flatpod never takes an address from its holder; it reads back and asks again. To have it sooner, give it back there, or ask for another one',
  },
} as const satisfies Record<string, ErrorEntry>;
