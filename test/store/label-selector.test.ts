/** Label selectors mean what they mean in Kubernetes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { labelSelector, matches, saySelector } from '../../src/store/label-selector.ts';

const expression = (operator: string, ...values: string[]) =>
  labelSelector.parse({ matchExpressions: [{ key: 'tier', operator, values }] });
const tier = { tier: 'web' };

const table: [
  what: string,
  selector: ReturnType<typeof labelSelector.parse> | undefined,
  labels: Record<string, string>,
  selected: boolean,
][] = [
  ['an absent selector selects nothing', undefined, tier, false],
  ['the empty selector selects everything', labelSelector.parse({}), {}, true],
  ['a label with the value', labelSelector.parse({ matchLabels: tier }), { ...tier, more: 'x' }, true],
  ['a label with another value', labelSelector.parse({ matchLabels: tier }), { tier: 'db' }, false],
  ['a label that is not there', labelSelector.parse({ matchLabels: { tier: '' } }), {}, false],
  ['an empty value', labelSelector.parse({ matchLabels: { tier: '' } }), { tier: '' }, true],
  ['In, one of the values', expression('In', 'db', 'web'), tier, true],
  ['In, none of the values', expression('In', 'db'), tier, false],
  ['In, not there', expression('In', 'db'), {}, false],
  ['NotIn, one of the values', expression('NotIn', 'db', 'web'), tier, false],
  ['NotIn, none of the values', expression('NotIn', 'db'), tier, true],
  ['NotIn, not there', expression('NotIn', 'db'), {}, true],
  ['Exists, there', expression('Exists'), { tier: '' }, true],
  ['Exists, not there', expression('Exists'), { tear: '' }, false],
  ['DoesNotExist, there', expression('DoesNotExist'), { tier: '' }, false],
  ['DoesNotExist, not there', expression('DoesNotExist'), {}, true],
  [
    'a key that every JavaScript object has',
    labelSelector.parse({ matchExpressions: [{ key: 'constructor', operator: 'Exists' }] }),
    {},
    false,
  ],
  [
    'labels and expressions: both must hold',
    labelSelector.parse({ matchLabels: tier, matchExpressions: [{ key: 'old', operator: 'Exists' }] }),
    tier,
    false,
  ],
];
for (const [what, selector, labels, selected] of table) {
  test(`selects as Kubernetes does: ${what}`, () => assert.equal(matches(selector, labels), selected));
}

test('NotIn is the opposite of In, DoesNotExist that of Exists, and more requirements never select more', () => {
  const word = fc.constantFrom('a', 'b', 'c');
  const labels = fc.dictionary(word, word);
  const values = fc.uniqueArray(word, { minLength: 1 });
  const opposite = (operator: string, key: string, given: string[]) =>
    labelSelector.parse({ matchExpressions: [{ key, operator, values: given }] });
  fc.assert(
    fc.property(labels, word, values, (has, key, given) => {
      assert.notEqual(matches(opposite('In', key, given), has), matches(opposite('NotIn', key, given), has));
      assert.notEqual(matches(opposite('Exists', key, []), has), matches(opposite('DoesNotExist', key, []), has));
      const both = labelSelector.parse({ matchLabels: { [key]: given[0] }, matchExpressions: [{ key, operator: 'In', values: given }] });
      assert.equal(matches(both, has), has[key] === given[0]);
    }),
  );
});

test('a selector is said as kubectl writes it', () => {
  const all = {
    matchLabels: { app: 'web' },
    matchExpressions: [
      { key: 'tier', operator: 'In', values: ['a', 'b'] },
      { key: 'zone', operator: 'NotIn', values: ['c'] },
      { key: 'new', operator: 'Exists' },
      { key: 'old', operator: 'DoesNotExist' },
    ],
  }; // prettier-ignore
  assert.equal(saySelector(labelSelector.parse(all)), 'app=web,tier in (a,b),zone notin (c),new,!old');
  assert.equal(saySelector(labelSelector.parse({})), 'everything');
});
