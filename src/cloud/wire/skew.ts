/** Clocks that are apart: signatures have the time in them, and a refusal of credentials should say when it is the clock that is off. */
import type { HttpAnswer } from './http.ts';

/** Clocks that differ by less are not to blame: no cloud refuses what is younger than some minutes. */
const apart_ms = 60_000;

/** By how much the server's clock is ahead of `now_ms`, by its answer's Date (RFC 9110, 6.6.1); undefined: by less than a minute, or it does not tell. */
export function clockAhead_ms({ headers: { date = '' } }: Pick<HttpAnswer, 'headers'>, now_ms: number): number | undefined {
  const ahead_ms = Date.parse(date) - now_ms;
  return Math.abs(ahead_ms) > apart_ms ? ahead_ms : undefined;
}

/** For the end of a sentence about refused credentials; empty when the clocks agree. */
export function clockWords(answer: Pick<HttpAnswer, 'headers'>, now_ms: number): string {
  const ahead_ms = clockAhead_ms(answer, now_ms);
  if (ahead_ms === undefined) return '';
  return `; our clock is ${Math.round(Math.abs(ahead_ms) / 1000)} s ${ahead_ms > 0 ? 'behind' : 'ahead of'} the server’s`;
}
