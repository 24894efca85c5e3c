/** Values of settings as other systems write them; one that cannot be read is a mistake of the account and undefined. */
import { type Ip, tryParseIp } from '../net/address.ts';
import { type Cidr, cidrOf, hostCidr, splitPrefix } from '../net/cidr.ts';
import { show } from '../store/say-issue.ts';
import type { Account, Setting } from './account.ts';

/** A text, a number or a truth as it is written; empty for anything else. */
export function wordOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

/** A text. */
export function textIn(account: Account, setting: Setting | undefined): string | undefined {
  if (setting === undefined || typeof setting.value === 'string') return setting?.value as string | undefined; // typeof has just said so
  account.wrong(setting, `must be a text, not ${show(setting.value)}`, '');
  return undefined;
}

/** A whole number, also one in quotes, as environments have them. */
export function numberIn(account: Account, setting: Setting | undefined, least: number, most: number): number | undefined {
  if (setting === undefined) return undefined;
  const { value } = setting;
  const read = typeof value === 'string' && /^\s*[-+]?\d+\s*$/.test(value) ? Number(value) : value;
  if (typeof read === 'number' && Number.isInteger(read) && read >= least && read <= most) return read;
  account.wrong(setting, `must be a whole number from ${least} to ${most}, not ${show(value)}`, '');
  return undefined;
}

/** Yes or no as Go's strconv.ParseBool reads it, or on and off. */
export function flagIn(account: Account, setting: Setting | undefined): boolean | undefined {
  if (setting === undefined) return undefined;
  const { value } = setting;
  if (value === true || /^(1|t|true|on)$/i.test(wordOf(value))) return true;
  if (value === false || /^(0|f|false|off)$/i.test(wordOf(value))) return false;
  account.wrong(setting, `must be true or false, not ${show(value)}`, '');
  return undefined;
}

/** A block. Bits behind its length are dropped, as Go's net.ParseCIDR does. */
export function blockIn(account: Account, setting: Setting | undefined): Cidr | undefined {
  if (setting === undefined) return undefined;
  const split = typeof setting.value === 'string' ? splitPrefix(setting.value.trim()) : undefined;
  if (split !== undefined) return cidrOf(split.ip, split.length);
  account.wrong(setting, `must be a block such as 10.20.0.0/16, not ${show(setting.value)}`, '');
  return undefined;
}

/** An address. */
export function addressIn(account: Account, setting: Setting | undefined): Ip | undefined {
  if (setting === undefined) return undefined;
  const address = typeof setting.value === 'string' ? tryParseIp(setting.value.trim()) : undefined;
  if (address === undefined) account.wrong(setting, `must be an address such as 10.20.0.17, not ${show(setting.value)}`, '');
  return address;
}

/** Blocks with commas between; a single address is a block of one. */
export function blocksIn(account: Account, setting: Setting): Cidr[] {
  const parts = (textIn(account, setting) ?? '').split(',').filter((part) => part.trim() !== '');
  return parts.flatMap((part) => {
    const single = tryParseIp(part.trim());
    const block = single === undefined ? blockIn(account, { ...setting, value: part }) : hostCidr(single);
    return block === undefined ? [] : [block];
  });
}

/** A text as a name of Kubernetes: what may not stand there becomes a dash. Empty when nothing is left. */
export function asName(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^-a-z0-9.]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^[-.]+|[-.]+$/g, '');
}
