/** Whether a watch has caught up with what we wrote ourselves. */

/** What tells one version of an object from another. */
export interface Versioned {
  readonly uid: string;
  readonly resourceVersion: string;
}

/** The watch still shows the same object as it was before our write. Versions of one resource may be compared as numbers (KEP-5504). */
export function isBehind(watched: Versioned, ours: Versioned): boolean {
  return watched.uid === ours.uid && BigInt(watched.resourceVersion) < BigInt(ours.resourceVersion);
}
