/** Runs last, by its name: the suite leaves the machine as it found it. All files are loaded before the first test runs, so what is noted here at load is the state before. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { eventually } from './life/lab.ts';
import { BESIDE } from './runner.ts';
import { more, otherSuites, traces } from './tidy/here.ts';

const before = traces();

/** Longer than the whole suite takes. */
const BESIDE_ENDS_s = 900;

test('no namespace, mount, link, cgroup, folder or program of ours is left on the machine', async (t) => {
  const beside = process.env[BESIDE];
  if (beside !== undefined) await eventually('the tests beside these are done', () => !existsSync(`/proc/${beside}`), BESIDE_ENDS_s);
  const others = otherSuites();
  if (others.length > 0) return t.skip(`another suite runs here, whose traces look like ours: ${others.join('; ')}`);
  for (const what of ['orphans', 'namespaces', 'mounts', 'links', 'cgroups', 'folders'] as const) {
    assert.deepEqual(await more(before[what], () => traces()[what]), [], what);
  }
});
