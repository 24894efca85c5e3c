/** The versions of the CNI specification, and what each verb needs. */

/** All that Flatpod speaks, oldest first: every version that there is. */
export const cniVersions = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;
export type CniVersion = (typeof cniVersions)[number];

/** What an answer carries when the configuration names no version that can be used. */
export const newestVersion: CniVersion = '1.1.0';
/** What a configuration without cniVersion means (CNI specification 0.1.0 had no such key everywhere; libcni reads it so). */
export const unsaidVersion: CniVersion = '0.1.0';

/** What a runtime may ask for. */
export type Verb = 'add' | 'del' | 'check' | 'gc' | 'status' | 'version';

/** The version that brought each verb. VERSION (0.2.0) answers for all: it is how a runtime finds out. */
export const verbSince: Readonly<Record<Verb, CniVersion>> = {
  add: '0.1.0',
  del: '0.1.0',
  check: '0.4.0',
  gc: '1.1.0',
  status: '1.1.0',
  version: '0.1.0',
};

/** Whether Flatpod speaks it. */
export function isCniVersion(text: unknown): text is CniVersion {
  return (cniVersions as readonly unknown[]).includes(text);
}

/** Whether `version` is `least` or newer. */
export function isAtLeast(version: CniVersion, least: CniVersion): boolean {
  return cniVersions.indexOf(version) >= cniVersions.indexOf(least);
}
