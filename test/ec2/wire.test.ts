/** The EC2 front's wire format, by properties: any form is understood or refused, any text comes back, any client's signature holds, no secret leaks. */
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { test } from 'node:test';
import { CreateTagsCommand, DescribeNetworkInterfacesCommand, DescribeVpcsCommand } from '@aws-sdk/client-ec2';
import * as fc from 'fast-check';
import { createLog } from '../../src/log.ts';
import { type Filter, filtered } from '../../src/vpc/ec2/filters.ts';
import { paged } from '../../src/vpc/ec2/pages.ts';
import { parametersOf } from '../../src/vpc/ec2/parameters.ts';
import { Refused } from '../../src/vpc/ec2/refused.ts';
import { answerXml, errorXml } from '../../src/vpc/ec2/xml.ts';
import { ec2Bed, key, refusedAs } from './bed.ts';
import { ground } from './ground.ts';

const names = fc.constantFrom(
  'A',
  'A.1',
  'A.2',
  'A.3',
  'A.01',
  'A.1.B',
  'A.1.B.1',
  'A.x',
  'A.',
  '.',
  '',
  'B',
  'A.99999',
  'A.100000',
  '__proto__',
);

test('EC2: every form is read or refused, and what is read was given', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(names, fc.string())), (pairs) => {
      try {
        const parameters = parametersOf(new URLSearchParams(pairs));
        const values = new Set(pairs.map(([, value]) => value));
        const read = [parameters.text('B'), ...parameters.texts('A'), ...parameters.items('A').flatMap((one) => one.texts('B'))];
        for (const value of read) assert.ok(value === undefined || values.has(value));
        parameters.end();
      } catch (error) {
        assert.ok(error instanceof Refused, String(error));
      }
    }),
  );
});

test('EC2: a list has as many elements as were given, in their order', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z0-9]{1,5}$/), { maxLength: 30 }), fc.integer({ min: 0, max: 1000 }), (values, seed) => {
      const pairs = values.map((value, i): [string, string] => [`V.${i + 1}`, value]);
      // The order in which they arrive does not matter.
      const turned = [...pairs.slice(seed % (pairs.length + 1)), ...pairs.slice(0, seed % (pairs.length + 1))];
      const parameters = parametersOf(new URLSearchParams(turned));
      assert.deepEqual(parameters.texts('V'), values);
      parameters.end();
    }),
  );
});

const bits = fc.constantFrom('<', '>', '&', '"', '\r', '\n', ']]>', '</item>', '</Message>', 'ü', '𝒳', 'a', ' ');

test('EC2: whatever the text, the answer is one document with that many elements', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: bits })), fc.string({ unit: bits }), (texts, message) => {
      const xml = answerXml('DescribeTags', 'r', { tagSet: texts.map((value) => ({ value })) });
      assert.equal(xml.match(/<item>/g)?.length ?? 0, texts.length);
      assert.equal(xml.match(/<\/DescribeTagsResponse>/g)?.length, 1);
      assert.equal(errorXml('Code', message, 'r').match(/<\/Message>|<Message\/>/g)?.length, 1);
    }),
  );
});

test('EC2: tags of any letters come back as they were, through the SDK', async () => {
  await using at = await ground();
  const { NetworkInterfaceId } = await at.create();
  // Not `__proto__`, which fast-check likes to draw: the model's own API, read by zod, leaves out a member of that name.
  const isKey = (one: string): boolean => !one.startsWith('aws:') && one !== '__proto__';
  const text = fc.string({ unit: 'grapheme-composite', minLength: 1, maxLength: 40 }).filter(isKey);
  await fc.assert(
    fc.asyncProperty(text, text, async (Key, Value) => {
      await at.ec2.send(new CreateTagsCommand({ Resources: [NetworkInterfaceId], Tags: [{ Key, Value }] }));
      const { TagSet = [] } = await at.one(NetworkInterfaceId);
      assert.deepEqual(
        TagSet.find((tag) => tag.Key === Key),
        { Key, Value },
      );
    }),
    { numRuns: 40 }, // an interface may have 50
  );
});

test('EC2: filters let through what their pattern matches, as one letter at a time says', () => {
  const pieces = fc.constantFrom('*', '?', 'a', 'b', '.', '[', '\\*', '\\?', '\\\\');
  const words = fc.array(fc.constantFrom('a', 'b', '.', '[', '*', '?', '\\'), { maxLength: 6 }).map((letters) => letters.join(''));
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 6 }), words, (pattern, word) => {
      const filters: Filter[] = [{ name: 'x', values: [pattern.join('')] }];
      const found = filtered([{ x: word }], filters, { x: ({ x }) => x });
      assert.equal(found.length === 1, matches(pattern, word), `${pattern.join('')} ${word}`);
    }),
  );
});

/** The same the slow way. */
function matches([first, ...rest]: readonly string[], word: string): boolean {
  if (first === undefined) return word === '';
  if (first === '*') return Array.from({ length: word.length + 1 }, (_, i) => word.slice(i)).some((tail) => matches(rest, tail));
  const letter = first.length === 2 ? first[1] : first;
  return word !== '' && (first === '?' || word[0] === letter) && matches(rest, word.slice(1));
}

test('EC2: pages hold everything once, whatever their size', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.stringMatching(/^[0-9a-f]{1,6}$/)), fc.integer({ min: 1, max: 10 }), (ids, most) => {
      const all = ids.map((id) => ({ id }));
      const seen: string[] = [];
      let token: string | undefined;
      do {
        const { items, nextToken } = paged(all, { most, token }, []);
        seen.push(...items.map(({ id }) => id));
        token = nextToken;
      } while (token !== undefined);
      assert.deepEqual(seen, ids.toSorted());
    }),
  );
});

test('EC2: no secret is in an answer, an event, a log or in what is printed of the front', async () => {
  const logged: string[] = [];
  const log = createLog('test', 'debug', (line) => void logged.push(line));
  await using bed = await ec2Bed({}, { log });
  await bed.ec2.send(new DescribeVpcsCommand({}));
  await refusedAs('AuthFailure', bed.client({ secret: 'another secret' }).send(new DescribeNetworkInterfacesCommand({})));
  const events = JSON.stringify((await bed.vpc.call('GET', '/v1/events')).body);
  assert.match(events, /ec2 DescribeVpcs: done/);
  const printed = inspect(bed.front, { depth: 9, showHidden: false });
  for (const text of [events, printed, logged.join('\n')]) assert.ok(!text.includes(key.secret) && !text.includes('another secret'), text);
});
