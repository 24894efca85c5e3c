/** The CRDs are those that the schemas make, and such as an API server accepts. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import * as z from 'zod';
import { crdFiles, crdFolder } from '../../scripts/crds.ts';
import { definitions } from '../../src/store/crd/definitions.ts';
import { structural } from '../../src/store/crd/structural.ts';

test('deploy/crds is up to date: else run node scripts/crds.ts', () => {
  const files = crdFiles();
  assert.deepEqual(readdirSync(crdFolder).sort(), [...files.keys()].sort());
  for (const [file, text] of files) assert.equal(readFileSync(join(crdFolder, file), 'utf8'), text);
});

test('the files say what the definitions say', () => {
  for (const [file, object] of definitions()) assert.deepEqual(parse(crdFiles().get(file) ?? ''), JSON.parse(JSON.stringify(object)));
});

/** Each part of a schema, with its path. */
function* partsOf(part: unknown, path: string): Generator<[path: string, part: Readonly<Record<string, unknown>>]> {
  // Plain JSON: whatever is an object can be walked.
  if (typeof part !== 'object' || part === null) return;
  const shape = part as Readonly<Record<string, unknown>>;
  yield [path, shape];
  for (const [key, inner] of Object.entries((shape['properties'] ?? {}) as Record<string, unknown>))
    yield* partsOf(inner, `${path}.${key}`);
  yield* partsOf(shape['items'], `${path}[]`);
  yield* partsOf(shape['additionalProperties'], `${path}{}`);
}

const everyPart = [...definitions()].flatMap(([file, object]) => {
  const crd = JSON.parse(JSON.stringify(object)) as { spec: { versions: { schema: { openAPIV3Schema: unknown } }[] } };
  return [...partsOf(crd.spec.versions[0]?.schema.openAPIV3Schema, file)];
});

test('every field has a type, and every one that people may write a text for kubectl explain', () => {
  assert.ok(everyPart.length > 150);
  const bare = everyPart.filter(([, part]) => typeof part['type'] !== 'string');
  assert.deepEqual(bare, []);
  const silent = everyPart.filter(([path, part]) => /\.spec\.[A-Za-z_.]+$/.test(path) && part['description'] === undefined);
  assert.deepEqual(
    silent.map(([path]) => path),
    [],
  );
});

test('everything has a limit, so that the cost of every rule has one', () => {
  const limit = { array: 'maxItems', string: 'maxLength' } as const;
  const endless = everyPart.filter(([path, { type, ...part }]) => {
    if (/\.(apiVersion|kind)$/.test(path) || part['enum'] !== undefined || part['format'] === 'date-time') return false;
    if (type !== 'array' && type !== 'string') return false;
    return part[limit[type]] === undefined;
  });
  assert.deepEqual(
    endless.map(([path]) => path),
    [],
  );
});

test('the only place where anything goes is what the controller remembers for itself', () => {
  const open = everyPart.filter(([, part]) => part['x-kubernetes-preserve-unknown-fields'] === true).map(([path]) => path);
  assert.deepEqual(open, ['flatpod.dev_nodenetworks.yaml.status.notes']);
});

test('the keys of a list of mappings are required in it', () => {
  for (const [path, part] of everyPart) {
    const keys = part['x-kubernetes-list-map-keys'];
    if (!Array.isArray(keys)) continue;
    const items = part['items'] as { required?: string[] };
    assert.ok(
      keys.every((key: string) => items.required?.includes(key)),
      path,
    );
  }
});

test('a schema that has no structural form is refused, with its field', () => {
  const union = z.object({ a: z.object({ b: z.union([z.string(), z.number()]) }) });
  assert.throws(() => structural(union, true), /^RangeError: \.a\.b: .* has no structural form$/);
});
