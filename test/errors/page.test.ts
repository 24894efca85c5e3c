/** docs/errors.md tells what the catalogue says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { configurationPage, configurationPath } from '../../scripts/docs.ts';
import { errorsPage, errorsPath } from '../../scripts/errors-page.ts';
import { catalogue } from '../../src/errors/catalogue.ts';

test('docs/errors.md and docs/configuration.md are up to date: else run node scripts/docs.ts', () => {
  assert.equal(readFileSync(errorsPath, 'utf8'), errorsPage());
  assert.equal(readFileSync(configurationPath, 'utf8'), configurationPage());
});

test('docs/errors.md has one section for each code, and its index leads to each', () => {
  const page = errorsPage();
  for (const [name, { code }] of Object.entries(catalogue)) {
    assert.equal(page.split(`\n### FP${code}\n`).length, 2, `FP${code}`);
    assert.ok(page.includes(`[FP${code}](#fp${code} "${name}")`), `FP${code} in the index`);
  }
  assert.equal(page.split('\n### ').length - 1, Object.keys(catalogue).length);
});

test('docs/errors.md explains every code of the wire that is not our own', () => {
  const explained = new Set([...errorsPage().matchAll(/^\| (\d+) \| /gm)].map(([, code]) => Number(code)));
  const spoken = Object.values(catalogue).filter(({ code, cni }) => cni < 100 || cni !== code || code === 999);
  assert.deepEqual(
    [...new Set(spoken.map(({ cni }) => cni))].filter((cni) => !explained.has(cni)),
    [],
  );
  assert.deepEqual(
    [...explained].filter((code) => !spoken.some(({ cni }) => cni === code)),
    [],
  );
});
