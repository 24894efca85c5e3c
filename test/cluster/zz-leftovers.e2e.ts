/** Runs last, by its name: no cluster of this run is left on the machine, whatever became of the tests. */
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { eventually } from '../life/lab.ts';
import { clusterTraces, kernelSettings } from './traces.ts';

const before = kernelSettings();

// After the shared cluster's end: hooks run in the order in which they were made known, and files are loaded by name.
after(async () => {
  await eventually('nothing of the clusters is left', () => (assert.deepEqual(clusterTraces(), []), true), 20);
  assert.deepEqual(kernelSettings(), before);
});
