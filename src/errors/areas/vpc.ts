/** FP180–FP189: the emulated VPC and its fabric. */
import type { ErrorEntry } from '../entry.ts';

/** Entries of this area, by name. */
export const vpcErrors = {
  vpcState: {
    code: 180,
    cni: 180,
    message: 'the state of the emulated VPC in {path} cannot be used',
    details: '{text}',
    hint: 'does another flatpod vpc use it? Stop that one, or start with an empty --state',
  },
  vpcListen: {
    code: 181,
    cni: 181,
    message: 'the emulated VPC cannot listen on {address}',
    details: '{text}',
    hint: 'choose another --listen address, or stop what listens there',
  },
  vpcFabric: {
    code: 182,
    cni: 182,
    message: 'the fabric of VPC {vpc} cannot be built',
    details: '{text}',
    hint: 'it needs root, network namespaces, bridges and nftables; without them start with --no-fabric',
  },
  vpcOptions: {
    code: 183,
    cni: 183,
    message: 'the emulated VPC cannot be started with {option} {value}',
    details: '{text}',
    hint: '{remedy}',
  },
  labProgram: {
    code: 189,
    cni: 189,
    message: '{program} did not start',
    details: '{text}',
    hint: 'make build makes what is missing; a log that ends early tells why',
  },
} as const satisfies Record<string, ErrorEntry>;
