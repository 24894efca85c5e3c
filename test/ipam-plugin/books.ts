/** A database of leases in a folder of its own, and the IPAM plugin asked without an executable. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answerIpam, type IpamBooks } from '../../src/agent/ipam/verbs.ts';
import { leasesOf } from '../../src/agent/ipam/books.ts';
import { podSubnetsWithoutAgent } from '../../src/agent/ipam/without-agent.ts';
import { createLog } from '../../src/log.ts';
import type { RangeLeases } from '../../src/store/range-leases.ts';
import { openDatabase } from '../../src/store/sqlite.ts';

/** What a request may say beside its configuration. */
export interface Asking {
  readonly container?: string;
  readonly ifname?: string;
  readonly args?: string;
  /** The name the executable is started under. */
  readonly plugin?: string;
}

/** What of an answer a test looks at. */
export interface Told {
  readonly status: number;
  /** Addresses of a result, with their lengths. */
  readonly addresses: readonly string[];
  /** `FP303`, or empty. */
  readonly fp: string;
  /** stdout, parsed; an empty object for silence. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly stdout: string;
}

/** See the head of this file. */
export interface Books extends Disposable {
  readonly path: string;
  readonly leases: RangeLeases;
  /** What was logged. */
  readonly log: string[];
  /** `ipam` is the section; other keys of the configuration go into `more`. */
  ask(verb: string, ipam: object | undefined, asking?: Asking, more?: object): Promise<Told>;
}

/** Empty books. */
export function openBooks(): Books {
  const path = mkdtempSync(join(tmpdir(), 'fpt-ipam-'));
  const database = openDatabase(path);
  const leases = leasesOf(database);
  const lines: string[] = [];
  const log = createLog('test', 'debug', (line) => lines.push(line));
  return {
    path,
    leases,
    log: lines,
    ask: asker({ leases, podSubnets: podSubnetsWithoutAgent(database), log }),
    [Symbol.dispose]() {
      database.close();
      rmSync(path, { recursive: true, force: true });
    },
  };
}

/** Asks with these books; what is to be done once the answer is out is done. */
export function asker(books: IpamBooks): Books['ask'] {
  return async (verb, ipam, { container = 'c1', ifname = 'eth0', args = '', plugin = 'flatpod-ipam' } = {}, more = {}) => {
    const variables = { CNI_COMMAND: verb, CNI_CONTAINERID: container, CNI_IFNAME: ifname, CNI_NETNS: '/run/netns/fpt', CNI_ARGS: args };
    const config = { cniVersion: '1.1.0', name: 'net', ...(ipam && { ipam }), ...more };
    const frame = {
      variables: new Map(Object.entries({ ...variables, FLATPOD_PLUGIN: plugin })),
      stdin: Buffer.from(JSON.stringify(config)),
    };
    const { reply, after } = await answerIpam(books, frame);
    after();
    return toldIn(reply.status, reply.stdout);
  };
}

/** What an answer says. */
export function toldIn(status: number, stdout: string): Told {
  const json: unknown = stdout.trim() === '' ? {} : JSON.parse(stdout);
  if (typeof json !== 'object' || json === null) throw new Error(`no object: ${stdout}`);
  const fields: Readonly<Record<string, unknown>> = { ...json };
  const ips: unknown[] = Array.isArray(fields['ips']) ? fields['ips'] : [];
  const addresses = ips.map((ip) => (typeof ip === 'object' && ip !== null && 'address' in ip ? String(ip.address) : ''));
  const fp = /\((FP\d+)\)/.exec(String(fields['msg']))?.[1] ?? '';
  return { status, addresses, fp, json: fields, stdout };
}
