/** State directories and attachments for the tests of this room. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { type Failure, isFailure } from '../../src/errors/failure.ts';
import { type Ip, ipFromBigInt, parseIp } from '../../src/net/address.ts';
import { type Attachment, type Attachments, openAttachments } from '../../src/store/attachments.ts';

export interface TestInterface {
  readonly addresses: readonly Ip[];
}
export type TestAttachment = Attachment<TestInterface>;

/** A directory that goes away with the scope. */
export function stateDir(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'flatpod-store-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export function attachment(container: string, ...addresses: string[]): TestAttachment {
  return {
    container,
    ifname: 'eth0',
    network: 'net',
    pod: { namespace: 'default', name: container },
    netns: `/run/netns/${container}`,
    subnet: 'a',
    nic: 'nic-1',
    state: 'opening',
    created_ms: 1,
    interface: { addresses: addresses.map(parseIp) },
  };
}

/** The n-th address of 10.0.0.0/8. */
export function addressOf(n: number): Ip {
  return ipFromBigInt(BigInt(0x0a00_0000 + n), 4);
}

export function attachmentsIn(database: DatabaseSync, now_ms?: () => number): Attachments<TestInterface> {
  return openAttachments(database, readInterface, now_ms);
}

function readInterface(json: unknown): TestInterface {
  if (typeof json !== 'object' || json === null || !('addresses' in json) || !Array.isArray(json.addresses))
    throw new RangeError('no addresses');
  return { addresses: json.addresses.map(String).map(parseIp) };
}

/** The failure that `run` throws; anything else it throws is thrown on. */
export function failureOf(run: () => unknown): Failure {
  try {
    run();
  } catch (error) {
    if (isFailure(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** How many rows a table has. */
export function rowsOf(database: DatabaseSync, table: 'attachments' | 'leases' | 'cooling'): number {
  return Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n']);
}
