/** FP130–FP139: addresses and their pool. */
import type { ErrorEntry } from '../catalogue.ts';

export const poolErrors = {
  addressesExhausted: {
    code: 130,
    cni: 11,
    message: 'no address left for {pod} in {subnet}',
    details:
      '{inUse} in use, {cooling} cooling (next free in {seconds} s), {wanted} wanted, {held} held by this node; growth stopped by {limit}',
    hint: '{remedy}',
  },
} as const satisfies Record<string, ErrorEntry>;
