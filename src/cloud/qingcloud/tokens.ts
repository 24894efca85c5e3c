/** What was asked for with each token: the cloud has no tokens, so this process remembers them, and nobody after a restart. */
import type { Clock } from '../clock.ts';
import type { CreateNic } from '../cloud.ts';
import { type Asked, refuse } from '../wire/asked.ts';

/** The tokens of one driver. */
export interface Tokens {
  /** @throws Failure cloudInvalid when it was used for something else. */
  note(request: CreateNic, asked: Asked): void;
  /** The call that was to make it had no answer. */
  noteUnclear(token: string): void;
  /** Whether that was so short a time ago that lists may not show what it made. */
  mayBeMade(token: string): boolean;
}

const MOST = 10_000;
/** Lists are seldom older than that. */
const LAG_ms = 15_000;

/** None yet. */
export function noTokens(clock: Clock): Tokens {
  const known = new Map<string, { readonly request: string; unclear_ms?: number }>();
  return {
    note(request, asked) {
      const text = JSON.stringify(request);
      const before = known.get(request.clientToken);
      if (before !== undefined && before.request !== text) throw refuse.invalid(asked, 'this token was used for another request');
      known.set(request.clientToken, before ?? { request: text });
      const [oldest] = known.keys();
      if (known.size > MOST && oldest !== undefined) known.delete(oldest);
    },
    noteUnclear(token) {
      const one = known.get(token);
      if (one !== undefined) one.unclear_ms = clock.now_ms();
    },
    mayBeMade(token) {
      const unclear_ms = known.get(token)?.unclear_ms;
      return unclear_ms !== undefined && clock.now_ms() - unclear_ms < LAG_ms;
    },
  };
}
