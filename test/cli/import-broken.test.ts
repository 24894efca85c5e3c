/** Files that are not what they should be: each import ends with documents, or with a failure of its own that names file and line. Never with a defect. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseAllDocuments } from 'yaml';
import type { SystemName } from '../../src/cli/import/commands.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { importOf, textOfFixture } from './import-support.ts';

const fixtures: readonly (readonly [SystemName, string])[] = [
  ['aws-node', 'aws-node/daemonset.yaml'],
  ['aws-node', 'aws-node/eniconfigs.yaml'],
  ['aws-node', 'aws-node/subnets.json'],
  ['hostnic', 'hostnic/configmaps.yaml'],
  ['hostnic', 'hostnic/pools.yaml'],
  ['hostnic', 'hostnic/blocks.json'],
  ['rubble', 'rubble/rubble.json'],
  ['rubble', 'rubble/10-rubble.conf'],
  ['rubble', 'rubble/pods.json'],
  ['rubble', 'rubble/ports.json'],
];

/** Imports; a failure must be one of an import. Whether it succeeded. */
function imports(system: SystemName, ...contents: string[]): boolean {
  try {
    importOf(system, ...contents);
    return true;
  } catch (error) {
    assert.ok(
      isFailure(error, 'importMistaken') || isFailure(error, 'importNothing'),
      error instanceof Error ? (error.stack ?? error.message) : String(error),
    );
    if (error.kind === 'importMistaken') assert.match(error.details, /\n {2}\/.*\/\d+:\d+: /);
    return false;
  }
}

/** The value with the n-th of its parts replaced, counted from the outside in. */
function broken(value: unknown, at: { left: number }, by: unknown): unknown {
  if (at.left-- === 0) return by;
  if (Array.isArray(value)) return value.map((member: unknown) => broken(member, at, by));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, broken(member, at, by)]));
}

test('any JSON is imported, or refused by line', () => {
  fc.assert(
    fc.property(fc.constantFrom<SystemName>('aws-node', 'hostnic', 'rubble'), fc.json(), (system, text) => {
      imports(system, text);
    }),
    { numRuns: 100 },
  );
});

test('a dump of which any part is something else is imported, or refused by line', () => {
  const odd = fc.oneof(fc.constantFrom(null, '', 0, -1, true, [], {}, [null], [[]], 'x'.repeat(300), 2 ** 40), fc.jsonValue());
  fc.assert(
    fc.property(fc.constantFrom(...fixtures), fc.nat(120), odd, ([system, path], part, by) => {
      const documents = parseAllDocuments(textOfFixture(path));
      const at = { left: part };
      const values = documents.map((document) => broken(document.toJS(), at, by));
      imports(system, ...values.map((value) => JSON.stringify(value)));
    }),
    { numRuns: 150 },
  );
});

test('a file that ends anywhere is imported as far as it is whole, or refused by line', () => {
  fc.assert(
    fc.property(fc.constantFrom(...fixtures), fc.double({ min: 0, max: 1, noNaN: true }), ([system, path], share) => {
      const text = textOfFixture(path);
      const cut = text.slice(0, Math.floor(share * (text.trimEnd().length - 1)));
      const isWhole = imports(system, cut);
      // JSON that ends too early is no JSON.
      if (/^\s*[{[]/.test(text)) assert.equal(isWhole, false, cut.slice(-50));
    }),
    { numRuns: 150 },
  );
});
