/** Where keys may come from. */
import type { Connections } from '../../wire/http.ts';
import type { Credentials } from '../sigv4.ts';

/** What all sources are given. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly connections: Connections;
  /** The section of the shared files; absent: AWS_PROFILE, else `default`. */
  readonly profile?: string;
  /** The shared file of keys; absent: AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/credentials. */
  readonly credentialsFile?: string;
  /** Where STS listens. */
  readonly sts: () => Promise<{ readonly endpoint: string; readonly region: string }>;
}

/** One place to look at. */
export interface Source {
  /** For the sentence that tells where none was found. */
  readonly name: string;
  /**
   * The keys, or undefined where nothing is set up.
   * @throws Trouble when something is and it gives none; Failure cloud* when a service was asked and refused.
   */
  read(around: Surroundings, left_ms: number): Promise<Credentials | undefined>;
  /** Changes when the source does; absent: it is asked again before they expire, and never else. */
  stamp?(around: Surroundings): string;
}

/** Keys are set up and cannot be had; the words say why and hold no secret. */
export class Trouble extends Error {}

/** Keys as the sources have them. `expires`: as ISO 8601. @throws Trouble for an expiry that is no time */
export function keys(keyId: string, secret: string, token?: string, expires?: string): Credentials {
  const expiresAt_ms = expires === undefined ? undefined : Date.parse(expires);
  if (expiresAt_ms !== undefined && !Number.isFinite(expiresAt_ms)) throw new Trouble('the keys expire at something that is no time');
  return { keyId, secret: () => secret, token: () => token || undefined, ...(expiresAt_ms !== undefined && { expiresAt_ms }) };
}
