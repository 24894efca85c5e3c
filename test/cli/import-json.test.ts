/** JSON with places: the same values as JSON.parse, and the line of each key. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Document, documentsIn } from '../../src/import/document.ts';
import { JsonMistake, readJson } from '../../src/import/json-places.ts';

function only(text: string): Document {
  const read = documentsIn('file', text);
  assert.ok(!('mistakes' in read), JSON.stringify(read));
  assert.equal(read.length, 1);
  return read[0] ?? assert.fail();
}

test('any value reads as JSON.parse reads it, however it is indented', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(0, 1, '\t', ' \r\n'), (text, indent) => {
      const written = JSON.stringify(JSON.parse(text), undefined, indent === ' \r\n' ? 2 : indent);
      assert.equal(JSON.stringify(readJson(written).value), JSON.stringify(JSON.parse(written)));
    }),
  );
});

test('any text is refused just when JSON.parse refuses it', () => {
  const token = fc.constantFrom('{', '}', '[', ']', ':', ',', '"a"', '1', '-', '01', '1e5', 'true', 'nul', ' ', '"', '\\', '\n', 'é');
  fc.assert(
    fc.property(fc.array(token, { maxLength: 8 }), (tokens) => {
      const text = tokens.join('');
      const right = parses(() => JSON.parse(text));
      assert.equal(
        parses(() => readJson(text)),
        right,
        JSON.stringify(text),
      );
    }),
    { numRuns: 2000 },
  );
});

test('every key of a mapping is found on its line', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ maxLength: 8 }), { minLength: 1, maxLength: 8 }), (keys) => {
      const text = `{"outer": [0,\n{\n${keys.map((key, i) => `${JSON.stringify(key)}: ${i}`).join(',\n')}\n}]}`;
      const document = only(text);
      for (const [i, key] of keys.entries()) assert.equal(document.lineOf(['outer', 1, key]), 3 + i);
      assert.equal(document.lineOf(['outer', 1, 'not there', 'nor this']), 2);
      assert.equal(document.lineOf([]), 1);
    }),
  );
});

test('nesting has an end', () => {
  assert.throws(() => readJson('['.repeat(100_000)), JsonMistake);
  const read = documentsIn('file', '['.repeat(100_000));
  assert.ok('mistakes' in read);
});

test('keys named like members of every object are keys', () => {
  const { value } = readJson('{"__proto__": {"a": 1}, "constructor": 2}');
  assert.deepEqual(Object.keys(value ?? {}), ['__proto__', 'constructor']);
});

/** Whether it does without throwing what it may throw. */
function parses(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    assert.ok(error instanceof JsonMistake || error instanceof SyntaxError, String(error));
    return false;
  }
}
