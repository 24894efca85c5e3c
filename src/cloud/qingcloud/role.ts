/** The keys of an instance's role, from the metadata service inside it. */
import { failure } from '../../errors/failure.ts';
import type { Clock } from '../clock.ts';
import { reached, understood } from '../wire/asked.ts';
import { connections, type HttpAnswer, Unreadable } from '../wire/http.ts';
import { count, Mismatch, object, type Read } from '../wire/shape.ts';
import { moment } from './moment.ts';

/** Keys that end. */
export interface RoleKeys {
  readonly key: string;
  readonly secret: string;
  readonly token: string;
  readonly expires_ms: number;
}

/** Keys as they are now. */
export interface Role {
  /** @throws Failure cloudUnavailable, cloudGarbled or cloudCredentials */
  now(): Promise<RoleKeys>;
  forget(): void;
  close(): void;
}

const PATH = '/latest/meta-data/security-credentials';
const DEADLINE_ms = 2_000;
/** So long before they end, new ones are asked for; while that fails, the old ones do. */
const AHEAD_ms = 300_000;

/** Asks that service. Many who want the keys at once ask once. */
export function roleKeys(endpoint: string, clock: Clock): Role {
  const kept = connections();
  const asked = { cloud: 'qingcloud', endpoint, call: 'the role’s credentials', object: 'the role' };
  let known: RoleKeys | undefined;
  let coming: Promise<RoleKeys> | undefined;
  async function ask(): Promise<RoleKeys> {
    const answer = await reached(kept.exchange({ method: 'GET', endpoint, path: PATH }, DEADLINE_ms), asked);
    if (answer.status === 404) throw failure('cloudCredentials', { ...asked, text: 'this instance has no role' });
    return understood(answer, (given, at) => keysOf(silentJson(given), at), asked);
  }
  return {
    async now() {
      const left_ms = (known?.expires_ms ?? 0) - clock.now_ms();
      if (known !== undefined && left_ms > AHEAD_ms) return known;
      coming ??= ask().finally(() => {
        coming = undefined;
      });
      try {
        known = await coming;
      } catch (error) {
        if (known === undefined || left_ms <= 0) throw error;
      }
      return known;
    },
    forget() {
      known = undefined;
    },
    close: () => kept.close(),
  };
}

/** As elsewhere, but without a word of it in the error. */
function silentJson({ text: given }: HttpAnswer): unknown {
  try {
    return JSON.parse(given);
  } catch {
    throw new Unreadable('no JSON');
  }
}

const keysOf: Read<RoleKeys> = (value, at) => {
  const from = object(value, at);
  if (from['ret_code'] !== undefined && from['ret_code'] !== 0) throw new Mismatch(`${at}.ret_code should be 0`);
  const secret = (name: string): string => {
    const found = from[name];
    // Says nothing of the value.
    if (typeof found !== 'string' || found === '') throw new Mismatch(`${at}.${name} should be text`);
    return found;
  };
  return {
    key: secret('access_key'),
    secret: secret('secret_key'),
    token: secret('id_token'),
    expires_ms: momentOf(from['expiration'], `${at}.expiration`),
  };
};

/** Seconds since the epoch, or ISO 8601: nobody has written down which. */
const momentOf: Read<number> = (value, at) => {
  if (typeof value === 'string' && !/^\d+$/.test(value)) return moment(value, at);
  return count(Math.floor(Number(value)), at) * 1000;
};
