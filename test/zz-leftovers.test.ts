/**
 * Runs last, by its name: the suite leaves process and machine as it found them. All files are loaded before the first test runs, so what is noted
 * here at load is the state before.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './life/lab.ts';
import { BESIDE } from './runner.ts';
import { held, otherSuites, traces } from './tidy/here.ts';

const before = { held: held(), traces: traces() };

/** What is under way when a test ends (an exit being reaped, a socket being closed) has this long to come to its end. */
const PATIENCE_ms = 5000;

/** What `now` has more of than `then`, duplicates counted; asked again until nothing is left or patience ends. */
async function more(then: readonly string[], now: () => readonly string[]): Promise<string[]> {
  const deadline = performance.now() + PATIENCE_ms;
  for (;;) {
    const rest = [...then];
    const extra = now().filter((one) => {
      const at = rest.indexOf(one);
      if (at >= 0) rest.splice(at, 1);
      return at < 0;
    });
    if (extra.length === 0 || performance.now() > deadline) return extra;
    await sleep(50);
  }
}

test('environment, folder and umask are as before', () => {
  const { cwd, umask, env } = held();
  assert.deepEqual({ cwd, umask, env }, { cwd: before.held.cwd, umask: before.held.umask, env: before.held.env });
});

test('no timer, socket, server or watcher is left in the event loop', async () => {
  // What the runner needs for its output.
  const own = ['TTYWrap', 'PipeWrap'];
  assert.deepEqual(await more([...before.held.resources, ...own], () => held().resources), []);
});

test('no file, socket or namespace is left open', async () => {
  assert.deepEqual(await more(before.held.files, () => held().files), []);
});

test('nobody listens to the process any more', async () => {
  assert.deepEqual(await more(before.held.listeners, () => held().listeners), []);
});

test('no child process is left', async () => {
  assert.deepEqual(await more(before.held.children, () => held().children), []);
});

/** Longer than the whole suite takes. */
const BESIDE_ENDS_s = 900;

test('no namespace, mount, link, cgroup, folder or program of ours is left on the machine', async (t) => {
  const beside = process.env[BESIDE];
  if (beside !== undefined) await eventually('the tests beside these are done', () => !existsSync(`/proc/${beside}`), BESIDE_ENDS_s);
  const others = otherSuites();
  if (others.length > 0) return t.skip(`another suite runs here, whose traces look like ours: ${others.join('; ')}`);
  for (const what of ['orphans', 'namespaces', 'mounts', 'links', 'cgroups', 'folders'] as const) {
    assert.deepEqual(await more(before.traces[what], () => traces()[what]), [], what);
  }
});
