/** An agent that may not do what it is for says so when it starts: what is missing, and where to give it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { demandCapabilities } from '../../src/kernel/capabilities.ts';
import { stateDir } from '../store/support.ts';

const status = (effective: bigint): string =>
  `Name:\tnode\nCapPrm:\t0000000000000000\nCapEff:\t${effective.toString(16).padStart(16, '0')}\n`;

test('each capability that is missing is named with what it is for: FP149 capabilityMissing', () => {
  const [net, sys] = [1n << 12n, 1n << 21n];
  demandCapabilities(status(net | sys));
  demandCapabilities('Name:\tnode\n');
  for (const [held, missing] of [
    [0n, /^the agent lacks CAP_NET_ADMIN and CAP_SYS_ADMIN$/],
    [net, /^the agent lacks CAP_SYS_ADMIN$/],
    [sys, /^the agent lacks CAP_NET_ADMIN$/],
  ] as const)
    assert.throws(() => demandCapabilities(status(held)), { kind: 'capabilityMissing', code: 149, message: missing });
});

test('an agent without CAP_NET_ADMIN, or without any, does not start, and says what to do', () => {
  using dir = stateDir();
  const main = resolve(import.meta.dirname, '../../src/main.ts');
  const agent = ['agent', '--socket', join(dir.path, 'agent.sock'), '--state', join(dir.path, 'state')];
  for (const without of ['-net_admin', '-all']) {
    const command = ['--bounding-set', without, '--inh-caps', without, process.execPath, '--disable-warning=ExperimentalWarning', main];
    const { status: code, stderr } = spawnSync('setpriv', [...command, ...agent], { encoding: 'utf8', timeout: 60_000 });
    assert.equal(code, 1, stderr);
    assert.match(stderr, /the agent lacks CAP_NET_ADMIN\b.*\(FP149\)/);
    assert.match(stderr, /agent\.capabilities/);
  }
});
