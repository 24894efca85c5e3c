/** Moments as QingCloud writes them: ISO 8601 in UTC, with and without the Z. */
import { Mismatch, type Read, text } from '../wire/shape.ts';

/** Milliseconds since the epoch. */
export const moment: Read<number> = (value, at) => {
  const words = text(value, at);
  const parsed = Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/.test(words) ? words : `${words}Z`);
  if (Number.isNaN(parsed)) throw new Mismatch(`${at} should be a moment, not ${JSON.stringify(words.slice(0, 80))}`);
  return parsed;
};
