/** The reader of EC2's XML: exact about what it reads, and nothing else than Unreadable about what it does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { items } from '../../src/cloud/aws/fields.ts';
import { xmlOf } from '../../src/cloud/aws/xml.ts';
import { Unreadable } from '../../src/cloud/wire/http.ts';
import { Mismatch, text } from '../../src/cloud/wire/shape.ts';

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test('elements, lists of one and of none, entities, CDATA, comments and attributes are read', () => {
  const xml = `\ufeff<?xml version="1.0" encoding="UTF-8"?>\n<!-- a -->
    <R xmlns="http://ec2.amazonaws.com/doc/2016-11-15/" a='1'>
      <one>1</one><empty/><none></none><spaces>\n </spaces>
      <set><item><k>a &lt;&amp;&gt; &quot;&apos; &#228;&#x1F600;</k></item></set>
      <cdata>x<![CDATA[<not> &amp; ]]]]>y</cdata><!-- > -->
      <empties><item/></empties>
    </R>\n<!-- end -->\n`;
  const { name, value } = xmlOf(xml);
  assert.equal(name, 'R');
  assert.deepEqual(plain(value), {
    one: '1',
    empty: '',
    none: '',
    spaces: '\n ',
    set: { item: [{ k: 'a <&> "\' ä😀' }] },
    cdata: 'x<not> &amp; ]]y',
    empties: { item: [''] },
  });
});

test('a list of nothing is written in four ways', () => {
  for (const value of [undefined, '', '\n  ', {}]) assert.deepEqual(items(text)(value, 'x'), []);
  assert.deepEqual(items(text)({ item: ['a'] }, 'x'), ['a']);
  assert.throws(() => items(text)('a', 'x'), Mismatch);
});

test('what is no XML, or more than is needed of it, is refused with the place', () => {
  for (const [xml, words] of [
    ['', /an element is expected at character 0, not the end/],
    ['hello', /an element is expected/],
    ['<!DOCTYPE html><html></html>', /an element is expected at character 0, not "<!DOCTYPE/],
    ['<a><b></a></b>', /<\/b is expected/],
    ['<a>x', /the end of an element/],
    ['<a>x</a', /<\/a> is expected/],
    ['<a>x</ab>', /<\/a> is expected/],
    ['<a/><b/>', /nothing after the end/],
    ['<a>&nbsp;</a>', /an entity of XML/],
    ['<a>&amp</a>', /an entity of XML/],
    ['<a>&#xD800;</a>', /an entity of XML/],
    ['<a>&#0;</a>', /an entity of XML/],
    ['<a>&__proto__;</a>', /an entity of XML/],
    ['<a>t<b/></a>', /text or elements, not both/],
    ['<a><b/><b/></a>', /b once/],
    ['<a><![CDATA[x</a>', /]]> is expected/],
    ['<a b=c/>', /an element is expected/],
    ['<a>'.repeat(40), /at most 32 elements/],
  ] as const) {
    assert.throws(
      () => xmlOf(xml),
      (error: unknown) => error instanceof Unreadable && words.test(error.message),
      xml,
    );
  }
});

test('names of JavaScript’s own are names like others', () => {
  const { value } = xmlOf('<a><__proto__>1</__proto__><constructor>2</constructor></a>');
  assert.deepEqual(Object.entries(value), [
    ['__proto__', '1'],
    ['constructor', '2'],
  ]);
});

const escaped = (words: string): string => words.replace(/[&<>]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[c] ?? c);
interface Tree {
  readonly [name: string]: string | Tree | (string | Tree)[];
}
const written = (value: string | Tree): string =>
  typeof value === 'string'
    ? escaped(value)
    : Object.entries(value)
        .map(([name, one]) => (Array.isArray(one) ? one : [one]).map((each) => `<${name}>${written(each)}</${name}>`).join(''))
        .join('');
// Text without letters is what stands between elements too; surrogates alone are no text.
const words = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }).filter((one) => one.trim() !== '');
const tree = fc.letrec<{ tree: Tree; value: string | Tree }>((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, words, tie('tree')),
  tree: fc.oneof(
    fc.dictionary(
      fc.stringMatching(/^[a-z][a-zA-Z0-9]{2,8}$/).filter((name) => name !== 'item' && name !== 'member'),
      tie('value'),
      { minKeys: 1, maxKeys: 4 },
    ),
    fc.record({ item: fc.array(tie('value'), { minLength: 1, maxLength: 4 }) }),
  ),
})).tree;

test('what is written is read again, whatever it is; cut anywhere it is refused', () => {
  fc.assert(
    fc.property(tree, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), (root, cut) => {
      const xml = `<root>${written(root)}</root>`;
      assert.deepEqual(plain(xmlOf(xml).value), plain(root));
      assert.throws(() => xmlOf(xml.slice(0, Math.floor(xml.length * cut))), Unreadable);
    }),
    { numRuns: 300 },
  );
});

test('any text at all is read or refused', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.string(),
          fc.constantFrom('<', '</', '>', '/>', '<a>', '</a>', '<!--', '-->', '<![CDATA[', ']]>', '&', ';', '<?', '?>', '"', '='),
        ),
        { maxLength: 20 },
      ),
      (parts) => {
        try {
          xmlOf(parts.join(''));
        } catch (error) {
          assert.ok(error instanceof Unreadable, String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});
