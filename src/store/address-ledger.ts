/**
 * AddressLedger: which node has which addresses of ranges, as the Kubernetes API has it. One object for each slice of addresses that somebody has something
 * of, written by the controller that leads, and read by nobody else (docs/adr/0016). It is what src/cloud/range calls a stored slice.
 */
import * as z from 'zod';
import { listAtomic, listMap } from './crd/rules.ts';
import { block, name } from './schema-parts.ts';

/** spec of an AddressLedger. */
export const addressLedgerSpec = z
  .object({
    slice: block.describe('what this object is about: every address in it, whichever PodSubnets have it in their ranges'),
    shares: z
      .array(
        z.object({
          node: z.string().min(1).max(253).describe('a Node'),
          podSubnet: name.describe('the PodSubnet it has them for'),
          blocks: z.array(block).max(4096).prefault([]).meta(listAtomic).describe('what it has: the fewest blocks'),
        }),
      )
      .max(4096)
      .prefault([])
      .meta(listMap('node', 'podSubnet'))
      .describe('who has what of it'),
  })
  .describe('which node has which addresses; written by the controller');

const object = z.object({
  metadata: z.object({ name: z.string(), uid: z.string(), resourceVersion: z.string() }),
  spec: addressLedgerSpec,
});

/** One as it was read. */
export type StoredLedger = z.infer<typeof object>;

/** @throws ZodError */
export function readAddressLedger(value: unknown): StoredLedger {
  return object.parse(value);
}
