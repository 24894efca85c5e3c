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
  namespaceUnknown: {
    code: 243,
    cni: 11,
    message: 'nobody knows which PodSubnet is for {pod}: its namespace {namespace} could not be read',
    details: '',
    hint: 'the runtime tries again; does the API server answer, and may the agent read namespaces? Its log says more',
  },
} as const satisfies Record<string, ErrorEntry>;
