/** An IPClaim as it stands in the Kubernetes API. */
import * as z from 'zod';
import { type IpClaimSpec, ipClaimSpec, type IpClaimStatus, ipClaimStatus } from '../ip-claim.ts';

/** Annotation of an IPClaim that the controller made for a Pod: that Pod's uid. One that a person made has none. */
export const MADE_FOR = 'flatpod.dev/made-for';

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
  /** The uid of the Pod that the controller made it for; undefined: a person made it. */
  readonly madeFor?: string | undefined;
}

/** One of a claim's addresses. */
export type HeldAddress = IpClaimStatus['addresses'][number];

const object = z.object({
  metadata: z.object({
    namespace: z.string(),
    name: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    annotations: z.record(z.string(), z.string()).default({}),
    deletionTimestamp: z.string().optional(),
  }),
  spec: ipClaimSpec,
  status: ipClaimStatus.prefault({}),
});

/** @throws ZodError */
export function readClaim(value: unknown): StoredClaim {
  const { metadata, spec, status } = object.parse(value);
  const { deletionTimestamp, annotations, ...rest } = metadata;
  return { ...rest, spec, status, leaving: deletionTimestamp !== undefined, madeFor: annotations[MADE_FOR] };
}

/** `namespace/name`. */
export function claimKey({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}
