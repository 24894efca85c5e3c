/** Kernel parameters: files under /proc/sys. Those under net/ belong to the network namespace of the thread that opens them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { failure } from '../errors/failure.ts';
import type { Netns } from './netns.ts';

const ROOT = '/proc/sys';

/**
 * The value of a key without its final newline; undefined when there is no such key (the interface or the kernel module is not there).
 * `key` is parted by slashes, because interface names may hold dots: `net/ipv4/conf/eth0.5/rp_filter`.
 * @throws Failure sysctlRefused.
 */
export function readSysctl(netns: Netns | undefined, key: string): string | undefined {
  const path = pathOf(key);
  const read = (): string => readFileSync(path, 'utf8');
  try {
    return (netns === undefined ? read() : netns.run(read)).trimEnd();
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw refused('read', key, '', netns, cause);
  }
}

/**
 * Sets a key, unless it has the value already: some keys act on every write. Synchronous, about 10 µs. `optional`: a key that is not there is fine.
 * @throws Failure sysctlRefused.
 */
export function writeSysctl(netns: Netns | undefined, key: string, value: string, optional = false): void {
  const path = pathOf(key);
  const write = (): void => {
    if (readFileSync(path, 'utf8').trimEnd() !== value) writeFileSync(path, value);
  };
  try {
    if (netns === undefined) write();
    else netns.run(write);
  } catch (cause) {
    if (optional && codeOf(cause) === 'ENOENT') return;
    throw refused('write', key, ` = ${value}`, netns, cause);
  }
}

/** The key that says whether a link takes part in IPv6; not there without IPv6 in the kernel. */
export function ipv6Switch(link: string): string {
  return `net/ipv6/conf/${link}/disable_ipv6`;
}

/**
 * Key and value by which a link has its IPv6 addresses at once. Until its link-local one is beyond duplicate address detection, which takes up to two seconds, the
 * kernel asks for no neighbour on behalf of what it forwards, nor for what it sends with an address of another link (ndisc_solicit() in net/ipv6/ndisc.c):
 * the first packets would wait or be lost. Only for links whose MAC nobody else can have.
 */
export function withoutDad(link: string): readonly [key: string, value: string] {
  return [`net/ipv6/conf/${link}/accept_dad`, '0'];
}

/** Keys carry interface names from outside: none may lead out of /proc/sys. */
function pathOf(key: string): string {
  if (key.split('/').some((part) => part === '' || part === '.' || part === '..') || key.includes('\0'))
    throw new RangeError(`not a sysctl key: ${JSON.stringify(key)}`);
  return `${ROOT}/${key}`;
}

function refused(action: 'read' | 'write', key: string, value: string, netns: Netns | undefined, cause: unknown): Error {
  const errno = codeOf(cause);
  // What the namespace itself answered (notNetns) is clear already.
  if (errno === undefined) return cause instanceof Error ? cause : new Error(String(cause));
  return failure('sysctlRefused', { action, key, value, netns: netns?.path ?? 'host', errno }, cause);
}

function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
}
