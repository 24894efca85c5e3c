/** docs/configuration.md tells what the schemas say. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { configurationPage, configurationPath } from '../../scripts/docs.ts';
import { checkConfig } from '../../src/store/check-config.ts';
import { sayProblem } from '../../src/store/config-problem.ts';

test('docs/configuration.md is up to date: else run node scripts/docs.ts', () => {
  assert.equal(readFileSync(configurationPath, 'utf8'), configurationPage());
});

test('every key has a meaning in the documentation', () => {
  const keys = configurationPage()
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  assert.ok(keys.length > 40);
  const silent = keys.filter((line) => line.endsWith('|  |') && !/`(apiVersion|kind|metadata|spec)`/.test(line));
  assert.deepEqual(silent, []);
});

test('the complete example is right', () => {
  const example = /```yaml\n([\s\S]*?)```/.exec(configurationPage())?.[1] ?? assert.fail('there is no example');
  assert.deepEqual(checkConfig(example).map(sayProblem), []);
});
