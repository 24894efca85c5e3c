/**
 * What QingCloud's refusals mean to us. They come with HTTP 200 and a `ret_code`, of which there are few, so that the words of the message decide where
 * one code stands for several things. The same table is in docs/clouds/qingcloud.md.
 */
import { type Failure, isFailure } from '../../errors/failure.ts';
import { type Asked, overQuota, type Refuse, refuse } from '../wire/asked.ts';

/** After it nobody knows whether what was asked is done. */
export function isUnclear(error: unknown): boolean {
  return isFailure(error, 'cloudUnavailable') || isFailure(error, 'cloudGarbled');
}

/** The codes that are more than a refusal to the one who calls. */
export const CODE = { ok: 0, authentication: 1200, expired: 1300 } as const;

/** By code, the first whose words fit. The codes are those of the documentation, the words those of messages that users have shown. */
export const meanings: Readonly<Record<number, readonly (readonly [RegExp, Refuse])[]>> = {
  1100: [[/./, refuse.invalid]],
  1200: [[/./, refuse.credentials]],
  1300: [[/./, refuse.credentials]],
  1400: [
    [/access denied|no permission|not authori[sz]ed/i, refuse.denied],
    [/up to \[|quota/i, usedUp],
    [/./, refuse.conflict],
  ],
  2100: [[/./, refuse.notFound]],
  2400: [[/./, refuse.denied]],
  2500: [
    [/rate|frequen|too many requests|too fast/i, refuse.throttled],
    [/./, usedUp],
  ],
  5000: [[/./, refuse.unavailable]],
  5100: [[/./, refuse.unavailable]],
};

const quota = overQuota('delete what the account no longer needs, or have QingCloud raise the quota');

/** Where something of a subnet was asked for, another subnet may have it. An attach takes nothing of the account's: it is the instance that has all it may. */
function usedUp(asked: Asked, words: string, cause?: unknown): Failure {
  if (asked.wanted !== undefined) return refuse.full(asked, words, cause);
  return (asked.call === 'AttachNics' ? refuse.limit : quota)(asked, words, cause);
}

/** The failure for that code and message. A code that nobody has written down is judged by its thousands. */
export function refusalOf(code: number, message: string, asked: Asked): Failure {
  const words = `${code}: ${message === '' ? 'no message' : message}`;
  // hostnic goes by this word, whatever the code.
  if (message.includes('ResourceNotFound')) return refuse.notFound(asked, words);
  const [, known] = (meanings[code] ?? []).find(([fits]) => fits.test(words)) ?? [];
  return (known ?? (code >= 5000 ? refuse.unavailable : refuse.invalid))(asked, words);
}
