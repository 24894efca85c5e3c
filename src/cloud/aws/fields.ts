/** Fields as EC2's XML has them: all text, an empty element for nothing, `item` for each member of a list. */
import { list, Mismatch, object, type Read, text } from '../wire/shape.ts';

/** A list; absent or empty: of nothing. */
export function items<T>(read: Read<T>, member: 'item' | 'Error' = 'item'): Read<T[]> {
  return (value, at) => {
    const isEmpty = value === undefined || (typeof value === 'string' && value.trim() === '');
    return isEmpty ? [] : list(read)(object(value, at)[member] ?? [], `${at}.${member}`);
  };
}

/** A whole number in digits. */
export const whole: Read<number> = (value, at) => {
  const digits = text(value, at);
  if (!/^\d{1,15}$/.test(digits)) throw new Mismatch(`${at} should be a whole number, not ${JSON.stringify(digits.slice(0, 80))}`);
  return Number(digits);
};

/** That a change was made. */
export const confirmed: Read<void> = (value, at) => {
  if (typeof value === 'object' && object(value, at)['return'] === 'false')
    throw new Mismatch(`${at} says neither that it was done nor why not`);
};

/** A moment, as milliseconds since the epoch. */
export const moment_ms: Read<number> = (value, at) => {
  const given = text(value, at);
  const time_ms = Date.parse(given);
  if (!Number.isFinite(time_ms)) throw new Mismatch(`${at} should be a time, not ${JSON.stringify(given.slice(0, 80))}`);
  return time_ms;
};

/** Whether it says `true`; absent is no. */
export function isTrue(value: unknown): boolean {
  return value === 'true';
}

/** The field read, or undefined where it is absent or empty. */
export function maybe<T>(from: Readonly<Record<string, unknown>>, key: string, read: Read<T>, at: string): T | undefined {
  const value = from[key];
  return value === undefined || value === '' ? undefined : read(value, `${at}.${key}`);
}
