/** FP130–FP139: addresses and their pool. */
import type { ErrorEntry } from '../entry.ts';

/** Entries of this area, by name. */
export const poolErrors = {
  addressesExhausted: {
    code: 130,
    cni: 11,
    message: 'no address left for {pod} in {subnet}',
    details:
      '{inUse} in use, {cooling} cooling (next free in {seconds} s), {wanted} wanted, {held} held by this node; growth stopped by {limit}',
    hint: '{remedy}; flatpod status shows the numbers of every PodSubnet',
  },
  addressInUse: {
    code: 131,
    cni: 131,
    message: 'the address {address} asked for by {pod} belongs to another Pod',
    details: 'PodSubnet {subnet}',
    hint: 'ask for another address, or delete the Pod that has it: flatpod status names it',
  },
  addressCooling: {
    code: 132,
    cni: 11,
    message: 'the address {address} asked for by {pod} was freed a moment ago',
    details: 'it rests for {seconds} s more, so that no connection of its last owner reaches the next one',
    hint: 'try again after that (a runtime does so by itself), or lower spec.cooldown_s of the NodeConfig',
  },
  addressExcluded: {
    code: 133,
    cni: 133,
    message: 'the address {address} asked for by {pod} is not for Pods',
    details: 'spec.exclude of PodSubnet {subnet} names it, or it is the first of an IPv6 prefix',
    hint: 'ask for another address, or take it out of spec.exclude',
  },
  addressNotHeld: {
    code: 134,
    cni: 134,
    message: 'this node does not hold the address {address} asked for by {pod}',
    details: 'it is in no block granted to the node for PodSubnet {subnet}, or the node has given it back',
    hint: 'ask for an address that flatpod status lists as free on this node',
  },
  addressesUnfit: {
    code: 135,
    cni: 7,
    message: 'the addresses asked for by {pod} do not fit together: {address}',
    details: 'PodSubnet {subnet} gives a Pod one address each of: {families}; all of them come from one interface',
    hint: 'ask for at most one address of each family, from the same interface: flatpod status shows which has which',
  },
} as const satisfies Record<string, ErrorEntry>;
