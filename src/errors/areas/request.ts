/**
 * FP100–FP119: what a runtime or user sends: environment, stdin, CNI configuration.
 * FP100–FP103 and FP113–FP116 are also printed by the CNI executable (src/cni/shim.c), which cannot import this: a test compares the two.
 */
import type { ErrorEntry } from '../entry.ts';

/** Entries of this area, by name. */
export const requestErrors = {
  variableInvalid: {
    code: 100,
    cni: 4,
    message: '{variable} is not acceptable',
    details: '{found}',
    hint: '{wanted}; the container runtime sets it',
  },
  variablesMissing: {
    code: 101,
    cni: 4,
    message: '{verb} needs variables that are not set',
    details: 'missing: {names}',
    hint: 'the container runtime sets them',
  },
  commandUnknown: {
    code: 102,
    cni: 4,
    message: 'CNI_COMMAND is unknown',
    details: '{found}',
    hint: 'ADD, DEL, CHECK, GC, STATUS and VERSION are known',
  },
  requestUnreadable: {
    code: 103,
    cni: 5,
    message: 'the request cannot be read',
    details: '{reason}',
    hint: 'stdin must hold one network configuration, and end',
  },
  configUndecodable: {
    code: 104,
    cni: 6,
    message: 'the network configuration on stdin cannot be decoded',
    details: '{reason}',
    hint: 'check the file in the CNI configuration directory: it must be one JSON object that ends, its name and its version texts',
  },
  networkNameInvalid: {
    code: 105,
    cni: 7,
    message: 'the network configuration has no acceptable name',
    details: 'name is {found}',
    hint: 'give the list a name of letters, digits, - _ . that starts with a letter or digit',
  },
  versionUnsupported: {
    code: 106,
    cni: 1,
    message: 'CNI version {found} is not supported',
    details: 'the configuration ({key}) says {found}; supported are {supported}',
    hint: 'set cniVersion to one of them',
  },
  verbNeedsVersion: {
    code: 107,
    cni: 1,
    message: '{verb} does not exist in CNI version {found}',
    details: 'the configuration says cniVersion {found}; {verb} came with {since}',
    hint: 'set cniVersion of the network configuration to {since} or later',
  },
  configInvalid: {
    code: 108,
    cni: 7,
    message: '{key} of the network configuration cannot be used',
    details: '{key} is {found}; {wanted} is expected',
    hint: 'correct {key}, or take it out',
  },
  configKeyUnknown: {
    code: 109,
    cni: 2,
    message: 'unknown key {key} with value {value} in the network configuration',
    details: 'it looks like a slip for {nearest}',
    hint: 'call it {nearest}, or rename it: Flatpod ignores keys that resemble none of its own',
  },
  argumentsInvalid: {
    code: 110,
    cni: 4,
    message: 'CNI_ARGS cannot be used',
    details: '{reason}',
    hint: 'it is KEY=VALUE;KEY=VALUE; put IgnoreUnknown=1 before keys that Flatpod does not know',
  },
  ipamRefused: {
    code: 111,
    cni: 7,
    message: 'the network configuration has an ipam section, but Flatpod allocates addresses itself',
    details: 'ipam is {found}',
    hint: 'take ipam out; which subnet serves a Pod is said by PodSubnet objects, or by the key subnet',
  },
  resultInexpressible: {
    code: 112,
    cni: 1,
    message: 'the result cannot be put in the form of CNI version {version}',
    details: '{reason}',
    hint: 'set cniVersion of the network configuration to 1.0.0 or 1.1.0',
  },
  agentUnreachable: {
    code: 113,
    cni: 11,
    message: 'the Flatpod agent of this node cannot be reached',
    details: '{socket}: {reason}',
    hint: 'start the agent on this node; FLATPOD_SOCKET names its socket when that lies elsewhere',
  },
  agentAbsent: {
    code: 114,
    cni: 50,
    message: 'no Pod can be added: the Flatpod agent of this node does not answer',
    details: '{socket}: {reason}',
    hint: 'start the agent on this node; FLATPOD_SOCKET names its socket when that lies elsewhere',
  },
  agentAnswerUnusable: {
    code: 115,
    cni: 11,
    message: 'the Flatpod agent of this node gave no usable answer',
    details: '{socket}: {reason}',
    hint: 'look into its log; the runtime may try again at any time',
  },
  releaseNotKept: {
    code: 116,
    cni: 11,
    message: 'DEL found no agent and cannot be kept for later',
    details: 'agent: {reason}; {directory}: {problem}',
    hint: 'start the agent, or make room in that directory; the runtime must repeat this DEL',
  },
  frameInvalid: {
    code: 118,
    cni: 5,
    message: 'what came over the socket is not in the form agreed between CNI executable and agent',
    details: '{reason}',
    hint: 'install the CNI executable and the agent from the same release',
  },
  prevResultMissing: {
    code: 119,
    cni: 7,
    message: 'CHECK came without prevResult',
    details: 'there is nothing to compare with what the kernel holds',
    hint: 'the runtime must hand over the result of ADD; an attachment made with disableCheck or an older CNI version has none',
  },
} as const satisfies Record<string, ErrorEntry>;
