/** The API document and the program say the same. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import * as z from 'zod';
import { asidesOf } from '../../src/vpc/api/aside.ts';
import { calls } from '../../src/vpc/calls/all.ts';
import { Events } from '../../src/vpc/events.ts';
import { noFabric } from '../../src/vpc/fabric/fabric.ts';
import { Faults } from '../../src/vpc/faults.ts';
import { reasons } from '../../src/vpc/model/refusal.ts';

interface Schema {
  $ref?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  enum?: string[];
}
interface Operation {
  operationId: string;
  requestBody?: { content: { 'application/json': { schema: Schema } } };
}
interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}
const document = parse(readFileSync(new URL('../../src/vpc/openapi.yaml', import.meta.url), 'utf8')) as Document;
const asides = asidesOf({
  vpc: 'x',
  calls,
  faults: new Faults(),
  events: new Events(),
  fabric: noFabric,
  faultsEnded: () => Promise.resolve(),
});
const served = [...calls, ...asides];

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods)
    .filter(([method]) => method !== 'parameters')
    .map(([method, operation]) => ({ place: `${method.toUpperCase()} ${path}`, operation })),
);
const resolve = (schema: Schema): Schema =>
  schema.$ref === undefined ? schema : resolve(document.components.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {});

test('every call of the document is served at its place, and none beside them', () => {
  const documented = operations.map(({ place, operation }) => `${operation.operationId} ${place}`).sort();
  const found = served.map(({ name, method, path }) => `${name} ${method} ${path.replace(/:(\w+)/, '{$1}')}`).sort();
  assert.deepEqual(found, documented);
});

test('every reason is documented, and no other', () => {
  assert.deepEqual([...reasons].sort(), [...(document.components.schemas['Reason']?.enum ?? [])].sort());
});

test('bodies have the documented fields and required ones', () => {
  for (const { operation } of operations) {
    const call = served.find(({ name }) => name === operation.operationId);
    const schema = call?.does === 'read' ? undefined : call?.body;
    const documented = operation.requestBody && resolve(operation.requestBody.content['application/json'].schema);
    assert.equal(schema === undefined, documented === undefined, operation.operationId);
    if (schema === undefined || documented === undefined) continue;
    // The launch of an internet host takes some of the fields of a machine's; the document shows them as one.
    const shown = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as {
      properties?: object;
      required?: string[];
      anyOf?: object[];
      oneOf?: object[];
    };
    const variants = (shown.oneOf ?? shown.anyOf ?? [shown]) as { properties?: object; required?: string[] }[];
    const fields = new Set(variants.flatMap(({ properties }) => Object.keys(properties ?? {})));
    assert.deepEqual([...fields].sort(), Object.keys(documented.properties ?? {}).sort(), operation.operationId);
    const required = Object.keys(documented.properties ?? {}).filter((field) =>
      variants.every((variant) => variant.required?.includes(field)),
    );
    assert.deepEqual(required.sort(), [...(documented.required ?? [])].sort(), operation.operationId);
  }
});
