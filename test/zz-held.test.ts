/**
 * Runs last in each process of the suite, by its name: the tests leave the process as they found it. All files are loaded before the first test runs, so
 * what is noted here at load is the state before.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownNetnsFd } from '../src/kernel/netns.ts';
import { held, more } from './tidy/here.ts';

ownNetnsFd(); // stays open for the life of the process, once anything asks for it
const before = held();

test('environment, folder and umask are as before', () => {
  const { cwd, umask, env } = held();
  assert.deepEqual({ cwd, umask, env }, { cwd: before.cwd, umask: before.umask, env: before.env });
});

test('no timer, socket, server or watcher is left in the event loop', async () => {
  // What the runner needs for its output.
  const own = ['TTYWrap', 'PipeWrap'];
  assert.deepEqual(await more([...before.resources, ...own], () => held().resources), []);
});

test('no file, socket or namespace is left open', async () => {
  assert.deepEqual(await more(before.files, () => held().files), []);
});

test('nobody listens to the process any more', async () => {
  assert.deepEqual(await more(before.listeners, () => held().listeners), []);
});

test('no child process is left', async () => {
  assert.deepEqual(await more(before.children, () => held().children), []);
});
