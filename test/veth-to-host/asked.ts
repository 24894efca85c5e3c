/** One call to veth-to-host, and what came of it. */
import assert from 'node:assert/strict';
import type { Ending } from '../cni/executable.ts';
import type { Lan, Result, TestHost, TestPod } from './lan.ts';
import type { Place } from './wires.ts';

/** An error as it goes over CNI. */
export interface CniError {
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}
/** It must have failed. */
export function errorIn({ status, stdout }: Ending): CniError {
  assert.notEqual(status, 0, stdout);
  return JSON.parse(stdout) as CniError;
}

/** Without a word. */
export function succeeded({ status, stdout, stderr }: Ending): void {
  assert.deepEqual([status, stdout], [0, ''], stdout + stderr);
}

/**
 * What of ours could be on a host: links, rules, routes, nft tables. An anycast route comes with forwarding, which stays on. What the kernel finds out by and by
 * of a link, its operational state, is left out: it may come in the middle of a test.
 */
export function stateOf(host: Place): string {
  return host
    .sh('ip -br link; for f in 4 6; do ip -$f rule; ip -$f route show table all; done; nft list ruleset')
    .replaceAll(/^(.*fe80:|anycast).*\n/gm, '')
    .replaceAll(/^(\S+ +)(UP|DOWN|UNKNOWN|LOWERLAYERDOWN|DORMANT) +/gm, '$1')
    .replaceAll(/NO-CARRIER,|,LOWER_UP|,M-DOWN/g, '');
}

/** ADD of veth-to-host alone, behind a macvlan that is there. */
export async function addBehind(
  host: TestHost,
  pod: TestPod,
  config: Record<string, unknown>,
  env: Record<string, string> = {},
): Promise<Ending> {
  return host.call('ADD', 'veth-to-host', pod, config, env);
}

/** A Pod that macvlan has served. */
export async function behindMacvlan(lan: Lan): Promise<{ readonly host: TestHost; readonly pod: TestPod; readonly prevResult: Result }> {
  const host = lan.host(0);
  const pod = host.container(11);
  const { stdout } = await host.call('ADD', 'macvlan', pod);
  return { host, pod, prevResult: JSON.parse(stdout) as Result };
}
