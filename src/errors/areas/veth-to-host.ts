/** FP340–FP369: the chained plugin veth-to-host. */
import type { ErrorEntry } from '../entry.ts';

/** Entries of this area, by name. */
export const vethToHostErrors = {
  notChained: {
    code: 340,
    cni: 7,
    message: 'veth-to-host must be chained behind a plugin that makes the main interface',
    details: 'there is no prevResult',
    hint: 'put it into the plugins of a list, after macvlan, ipvlan, bridge, host-device, vlan or ptp',
  },
  underlayAddressUnsaid: {
    code: 341,
    cni: 7,
    message: 'the plugins before veth-to-host gave {ifname} no address',
    details: 'prevResult has {found}',
    hint: 'give the main plugin an ipam section, and put veth-to-host after it',
  },
  underlayAddressMissing: {
    code: 342,
    cni: 342,
    message: '{ifname} in {netns} has no address {address}',
    details: 'prevResult says it has; found there: {found}',
    hint: 'is CNI_NETNS the namespace that the plugins before worked in, and did one of them rename {ifname}?',
  },
  hostInterfaceMissing: {
    code: 343,
    cni: 50,
    message: 'this node has no interface {hostInterface}',
    details: 'it has {found}',
    hint: "set hostInterface to the interface whose addresses are the node's own",
  },
  hostAddressMissing: {
    code: 344,
    cni: 50,
    message: 'the interface {hostInterface} of this node has no address of {family}',
    details: 'addresses of the link alone do not count',
    hint: 'give it an address, or set hostInterface to the interface that has one',
  },
  helperExists: {
    code: 345,
    cni: 345,
    message: 'container {container} has an interface {name} from veth-to-host already',
    details: 'it stands beside {ifname}',
    hint: 'DEL it first; a runtime never asks twice',
  },
  tablesTaken: {
    code: 346,
    cni: 346,
    message: 'no routing table is free for {container}',
    details: 'all from {first} to {last} are used',
    hint: 'ip rule shows by whom; set routeTableStart to where there is room',
  },
  helperUnreadable: {
    code: 347,
    cni: 347,
    message: 'the record of veth-to-host for {attachment} cannot be read',
    details: '{path}: {text}',
    hint: 'was it written by another version? DEL and ADD of that container make it anew',
  },
  helpersTooMany: {
    code: 348,
    cni: 348,
    message: 'container {container} has {most} interfaces from veth-to-host already',
    details: '',
    hint: 'that is the most; one for each host interface is enough for all main interfaces',
  },
  underlayAddressUnusable: {
    code: 349,
    cni: 349,
    message: 'the address {address} of {ifname} in {netns} cannot be used',
    details: '{why}',
    hint: 'ip -6 addr in the namespace shows it; is the link of the main interface up, and the address free?',
  },
} as const satisfies Record<string, ErrorEntry>;
