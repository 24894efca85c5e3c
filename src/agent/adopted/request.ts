/** What a take-over is told: the Pods of a former plugin, as its own records have them. */
import * as z from 'zod';
import { tryContainerId, tryIfName } from '../../cni/names.ts';
import { formerPlugins } from '../../datapath/interface.ts';
import { failure } from '../../errors/failure.ts';
import { ip } from '../../store/schema-parts.ts';

/** As many as a node can have, and then some. */
const MOST = 4096;
const text = z.string().min(1).max(253);

const formerPod = z.strictObject({
  container: z.string().refine((id) => tryContainerId(id) !== undefined, 'is no container id'),
  ifname: z.string().refine((name) => tryIfName(name) !== undefined, 'is no interface name'),
  pod: z.strictObject({ namespace: text.optional(), name: text.optional(), uid: text.optional() }),
  addresses: z.array(ip).min(1).max(16),
  /** A runtime says that its sandbox runs; absent: nobody was asked, or it does not. */
  runs: z.boolean().optional(),
  /** Milliseconds since the epoch. */
  since_ms: z.int().min(0).optional(),
});

const asked = z.strictObject({
  madeBy: z.enum(formerPlugins),
  /** Where the runtime binds namespaces. */
  netnsFolder: z.string().regex(/^\//, 'an absolute path'),
  /** First letters of the former plugin's host ends: a Pod behind such a link that is not named is taken over as well. */
  vethPrefix: z.string().min(1).max(15).optional(),
  pods: z.array(formerPod).max(MOST),
});

/** A Pod of a former plugin. */
export type FormerPod = z.infer<typeof formerPod>;
/** The whole request. */
export type TakeoverAsked = z.infer<typeof asked>;

/** `from`: whose words these are, and the file they stood in. @throws Failure takeoverMistaken. */
export function parseTakeover(json: Uint8Array, from = { system: 'a former plugin', path: 'the request' }): TakeoverAsked {
  const mistaken = (reason: string, cause: unknown): Error => failure('takeoverMistaken', { ...from, reason }, cause);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch (cause) {
    throw mistaken('it is no JSON', cause);
  }
  const read = asked.safeParse(value);
  if (read.success) return read.data;
  throw mistaken(
    read.error.issues
      .slice(0, 3)
      .map(({ path, message }) => `${path.join('.')}: ${message}`)
      .join('; '),
    read.error,
  );
}
