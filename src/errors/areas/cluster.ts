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
  claimAddressTaken: {
    code: 244,
    cni: 244,
    message: '{address} belongs to IPClaim {claim} already{whose}',
    details: '',
    hint: 'ask for another address, or delete that IPClaim when nobody needs it any more',
  },
  claimAddressInUse: {
    code: 245,
    cni: 245,
    message: '{address} {user}',
    details: 'node {node} was asked to give {block} back, and does so when no Pod uses any of it',
    hint: 'wait for that, let that Pod end, or ask for another address; PodSubnet.spec.exclude keeps addresses from ordinary Pods',
  },
  claimAddressUnusable: {
    code: 246,
    cni: 246,
    message: 'no Pod can have {address} as its own',
    details: '{reason}',
    hint: 'ask for another address; kubectl get podsubnets shows the blocks there are',
  },
  claimUnfit: {
    code: 247,
    cni: 247,
    message: 'IPClaim {claim} {reason}',
    details: '',
    hint: 'name another IPClaim in annotation flatpod.dev/ip-claim, or make one that fits',
  },
  claimFull: {
    code: 248,
    cni: 248,
    message: 'all {count} addresses of IPClaim {claim} have Pods',
    details: '{holders}',
    hint: 'raise its spec.count, or let one of those Pods end',
  },
  claimMisspelt: {
    code: 249,
    cni: 249,
    message: 'annotation {annotation} asks for what there is not',
    details: '{reason}',
    hint: 'put it right in the Pod, or in the template that it is made from',
  },
  claimWithoutSubnet: {
    code: 250,
    cni: 250,
    message: 'no PodSubnet has an address of its own for {pod}',
    details: '{reasons}',
    hint: 'put right what one of them says; Flatpod goes on trying them in this order',
  },
  claimPodUnknown: {
    code: 251,
    cni: 251,
    message: 'the API server knows no Pod {pod} with uid {uid} on node {node}',
    details: '',
    hint: 'nothing needs to be done when that Pod has just been deleted',
  },
  claimElsewhere: {
    code: 252,
    cni: 252,
    message: '{address} of IPClaim {claim} cannot be had by Pod {pod} on node {node}',
    details: '{reason}',
    hint: 'keep the Pod where that address can be (nodeSelector topology.kubernetes.io/zone); or have it get another one: delete the IPClaim, and ask for none in another zone by annotation flatpod.dev/ip',
  },
  probeUnusable: {
    code: 259,
    cni: 259,
    message: 'the controller cannot listen on {listen}',
    details: '{reason}',
    hint: 'spec.listen must be an address of this host and a port nobody else has; of two controllers on the network of one node each needs its own',
  },
} as const satisfies Record<string, ErrorEntry>;
