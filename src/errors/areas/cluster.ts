/** FP240–FP259: Flatpod in a Kubernetes cluster. */
import type { ErrorEntry } from '../entry.ts';

/** Entries of this area, by name. */
export const clusterErrors = {
  overtaken: {
    code: 240,
    cni: 240,
    message: '{object} was written by a later leader',
    details: 'its term is {term}, ours was {own}',
    hint: 'nothing was changed; another controller leads now, and this one waits for its turn',
  },
  claimNotHere: {
    code: 241,
    cni: 11,
    message: 'the own address of {pod} is not on this node yet',
    details: '{problem}',
    hint: 'the runtime tries again; kubectl flatpod why shows what it waits for, kubectl describe ipclaim who has it',
  },
  claimBusy: {
    code: 242,
    cni: 242,
    message: 'IPClaim {claim} could not be written',
    details: 'somebody else changed it {tries} times in a row',
    hint: 'the controller tries again by itself; does another program write its status?',
  },
} as const satisfies Record<string, ErrorEntry>;
