/** An IPClaim as it stands in the Kubernetes API. */
import * as z from 'zod';
import { type IpClaimSpec, ipClaimSpec, type IpClaimStatus, ipClaimStatus } from '../ip-claim.ts';

/** One object as it was read. */
export interface StoredClaim {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly spec: IpClaimSpec;
  readonly status: IpClaimStatus;
  /** It was deleted and is on its way out. */
  readonly leaving: boolean;
}

/** One of a claim's addresses. */
export type HeldAddress = IpClaimStatus['addresses'][number];

const object = z.object({
  metadata: z.object({
    namespace: z.string(),
    name: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    deletionTimestamp: z.string().optional(),
  }),
  spec: ipClaimSpec,
  status: ipClaimStatus.prefault({}),
});

/** @throws ZodError */
export function readClaim(value: unknown): StoredClaim {
  const { metadata, spec, status } = object.parse(value);
  const { deletionTimestamp, ...rest } = metadata;
  return { ...rest, spec, status, leaving: deletionTimestamp !== undefined };
}

/** `namespace/name`. */
export function claimKey({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}
