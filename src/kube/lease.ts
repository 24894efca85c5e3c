/** A Lease as an election reads and writes it (coordination.k8s.io/v1, LeaseSpec). */
import * as z from 'zod';

/** The kind. */
export const leases = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' } as const;

const spec = z.looseObject({
  /** Empty or absent: nobody leads. */
  holderIdentity: z.string().nullish(),
  leaseDurationSeconds: z.int().positive().nullish(),
  leaseTransitions: z.int().nonnegative().nullish(),
});
const schema = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  spec: spec.nullish(),
});

/** A Lease as it was read; whatever else it has is kept, so that it can be written back. */
export type Lease = z.infer<typeof schema>;

/** Throws when it is none. */
export function parseLease(value: unknown): Lease {
  return schema.parse(value);
}

/** Who leads by it; undefined for nobody. */
export function holderOf({ spec: said }: Lease): string | undefined {
  return said?.holderIdentity || undefined;
}

/** How many times leaders have changed. */
export function transitionsOf({ spec: said }: Lease): number {
  return said?.leaseTransitions ?? 0;
}

/** How long it says that it lasts without being renewed. */
export function durationOf_ms({ spec: said }: Lease): number {
  return (said?.leaseDurationSeconds ?? 0) * 1000;
}

/** What its holder wrote: another text is a sign of life, another label is not. */
export function recordOf({ spec: said }: Lease): string {
  return JSON.stringify(said ?? {});
}

/** What a leader writes: that it leads, for how long from now, in its how-manieth term. `acquired` when that is new. */
export function heldBy(lease: Pick<Lease, 'spec'>, identity: string, term: number, lasts_ms: number, acquired: boolean): object {
  const now = microTime();
  const said = {
    ...lease.spec,
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(lasts_ms / 1000),
    leaseTransitions: term,
    renewTime: now,
    ...(acquired ? { acquireTime: now } : {}),
  };
  return { ...lease, spec: said };
}

/** The Lease given back: the next one need not wait. As client-go writes it. */
export function givenBack(lease: Lease): object {
  return { ...lease, spec: { ...lease.spec, holderIdentity: null, leaseDurationSeconds: 1, renewTime: microTime() } };
}

/** A Lease that was not there. */
export function newLease(namespace: string, name: string): Pick<Lease, 'spec'> & Readonly<Record<string, unknown>> {
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { namespace, name }, spec: null };
}

let written = 0;

/**
 * MicroTime has six digits. What it says is for people; but that it differs from the one before is the sign of life, also when the clock of this
 * machine was set back meanwhile. So the last three digits, which our clock does not have, count.
 */
function microTime(): string {
  written = (written + 1) % 1000;
  return new Date().toISOString().replace('Z', `${String(written).padStart(3, '0')}Z`);
}
