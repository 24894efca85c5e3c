/** The account of an import, for people. */
import { type Output, styled, table } from '../table.ts';
import type { Entry, Fate } from '../../import/account.ts';
import type { Mistake } from '../../import/document.ts';
import type { Kept } from '../../import/made.ts';

const parts: readonly (readonly [fate: Fate, title: string, heading: readonly string[], row: (entry: Entry) => string[]])[] = [
  [
    'taken',
    'TAKEN OVER',
    ['FROM', 'SETTING', 'VALUE', 'TO'],
    ({ from, key, value, text, remedy }) => [from, key, value, withRemedy(text, remedy)],
  ],
  [
    'equal',
    'THERE UNDER ANOTHER NAME, OR BY ITSELF',
    ['FROM', 'SETTING', 'VALUE', 'IN FLATPOD'],
    ({ from, key, value, text }) => [from, key, value, text],
  ],
  [
    'none',
    'NO EQUAL',
    ['FROM', 'SETTING', 'VALUE', 'WHY', 'WHAT TO DO'],
    ({ from, key, value, text, remedy }) => [from, key, value, text, remedy],
  ],
  ['left', 'LEFT FOR YOU', ['IN', 'FIELD', 'WHAT', 'WHAT TO DO'], ({ from, key, text, remedy }) => [from, key, text, remedy]],
];

/** Aligned lists under a title each; those that are empty are left out. */
export function sayAccount(output: Output, entries: readonly Entry[], kept: readonly Kept[]): string {
  const lists = parts.flatMap(([fate, title, heading, row]) => {
    const rows = entries.filter((entry) => entry.fate === fate).map(row);
    return rows.length === 0 ? [] : [`${styled(output, 'bold', title)}\n${table(output, heading, rows)}`];
  });
  if (kept.length > 0) {
    const rows = kept.map(({ address, namespace, pod, node, subnet }) => [address, `${namespace}/${pod}`, node || '-', subnet || '-']);
    lists.push(`${styled(output, 'bold', 'ADDRESSES OF PODS THAT RUN')}\n${table(output, ['ADDRESS', 'POD', 'NODE', 'PODSUBNET'], rows)}`);
  }
  return lists.join('\n');
}

/** `file:12: key: what; remedy`. */
export function sayMistake({ file, line, key, what, remedy }: Mistake): string {
  return `${file}:${line}: ${key === '' ? '' : `${key}: `}${what}${remedy === '' ? '' : `; ${remedy}`}`;
}

function withRemedy(text: string, remedy: string): string {
  return remedy === '' ? text : `${text}; ${remedy}`;
}
