/** FP290–FP294: addresses that somebody else has on the wire. */
import type { ErrorEntry } from '../entry.ts';

/** Entries of this area, by name. */
export const conflictErrors = {
  addressesTaken: {
    code: 290,
    cni: 11,
    message: 'no address for {pod} in {subnet}: others have it on the network of {link}: {holders}',
    details: 'an address that somebody else has rests for {seconds} s before it is tried again',
    hint: 'find them by their MAC in the switch, and give them other addresses; what is not for Pods belongs into spec.exclude of PodSubnet {subnet}',
  },
  networkNotAsked: {
    code: 291,
    cni: 11,
    message: 'nobody could be asked on {link} whether {address} is in use: {why}',
    details: 'a Pod gets no address that somebody else may have',
    hint: 'ip -br link show {link} tells whether it is up and has a carrier; the runtime tries again by itself',
  },
} as const satisfies Record<string, ErrorEntry>;
