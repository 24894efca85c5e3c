/**
 * The keys to sign with now: from the first source that has some, in the order of AWS's own clients; new ones well before the old expire, and at once when
 * a file has changed.
 *
 * Invariants
 * - many who ask at once cause one look
 * - keys that still hold are used on while no new ones can be had
 */
import { failure, isFailure } from '../../../errors/failure.ts';
import type { Credentials } from '../sigv4.ts';
import { container } from './container.ts';
import { environment } from './environment.ts';
import { metadata } from './metadata.ts';
import { sharedFiles } from './shared-files.ts';
import { type Source, type Surroundings, Trouble } from './source.ts';
import { webIdentity } from './web-identity.ts';

const sources: readonly Source[] = [environment, sharedFiles, webIdentity, container, metadata];
/** So long before they expire new ones are fetched. */
const early_ms = 5 * 60_000;
/** So long after a look that failed there is another one, while the old keys still hold. */
const again_ms = 20_000;

/** The account's keys, kept fresh. */
export interface Keyring {
  /** @throws Failure cloudCredentials when no source has any, cloud* for what STS said */
  current(left_ms: number): Promise<Credentials>;
  /** The cloud refused these: the next ones are fetched anew. */
  drop(credentials: Credentials): void;
}

interface Held {
  readonly credentials: Credentials;
  readonly source: Source;
  readonly stamp: string | undefined;
}

/** `now_ms`: the wall clock, since an expiry is told by it. */
export function keyring(around: Surroundings, now_ms: () => number): Keyring {
  let held: Held | undefined;
  let looking: Promise<Held> | undefined;
  let notBefore_ms = 0;

  const holds = ({ credentials: { expiresAt_ms = Infinity } }: Held, spare_ms: number): boolean => expiresAt_ms - now_ms() > spare_ms;
  const isFresh = (kept: Held): boolean => kept.source.stamp?.(around) === kept.stamp && holds(kept, early_ms);

  async function fetched(left_ms: number): Promise<Credentials> {
    looking ??= firstOf(around, left_ms).finally(() => (looking = undefined));
    try {
      held = await looking;
      return held.credentials;
    } catch (error) {
      notBefore_ms = performance.now() + again_ms;
      if (held !== undefined && holds(held, 0)) return held.credentials;
      throw error;
    }
  }
  return {
    async current(left_ms) {
      if (held !== undefined && (isFresh(held) || (performance.now() < notBefore_ms && holds(held, 0)))) return held.credentials;
      return await fetched(left_ms);
    },
    drop(credentials) {
      if (held?.credentials === credentials) held = undefined;
    },
  };
}

async function firstOf(around: Surroundings, left_ms: number): Promise<Held> {
  const looked: string[] = [];
  for (const source of sources) {
    try {
      // Before it is read: what changes meanwhile is read again.
      const stamp = source.stamp?.(around);
      const credentials = await source.read(around, left_ms);
      if (credentials !== undefined) return { credentials, source, stamp };
      looked.push(source.name);
    } catch (error) {
      if (isFailure(error)) throw error;
      if (!(error instanceof Trouble)) throw error;
      looked.push(`${source.name} (${error.message})`);
      // What is set up is meant: another source's keys could be another account's.
      if (source !== metadata) break;
    }
  }
  throw failure('cloudCredentials', { cloud: 'aws', call: 'any call', text: `there are none in ${looked.join(', ')}` });
}
