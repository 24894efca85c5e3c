/** The tables of refusals in docs/clouds: what each row says that the controller does, compared with what it decides. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Decision, decisionFor } from '../../src/controller/refusal-table.ts';
import type { catalogue } from '../../src/errors/catalogue.ts';
import { Failure } from '../../src/errors/failure.ts';

/** A row: the cells before the failure's name without quotation marks, the name, and what is said. */
export interface ToldRefusal {
  readonly labels: readonly string[];
  readonly kind: string;
  readonly says: string;
}

/** How each decision is said. A full subnet is the only thing of which less is asked for. */
const phrases: readonly { readonly says: RegExp; readonly next: Decision['next']; readonly pause: Decision['pause'] }[] = [
  { says: /waits 5 s and more, and so do all other calls of that kind/, next: 'retry', pause: 'long' },
  { says: /waits 1 s and more, reads everything back/, next: 'readBack', pause: 'medium' },
  { says: /reads back after 1 s and more/, next: 'readBack', pause: 'medium' },
  { says: /reads back after a short pause/, next: 'readBack', pause: 'short' },
  { says: /asks for half, down to one; then leaves the subnet alone for minutes/, next: 'less', pause: 'full' },
  { says: /says so, .*tries again ever more seldom/, next: 'tell', pause: 'settled' },
];

/** All rows of the page whose labels stand in that form, in their order. */
export function toldRefusals(page: string, label: RegExp): ToldRefusal[] {
  const text = readFileSync(join(import.meta.dirname, '../../docs/clouds', page), 'utf8');
  return text.split('\n').flatMap((line) => {
    const cells = line.split(' | ').map((cell) => cell.replaceAll(/^\| |\|$/g, '').trim());
    const at = cells.findIndex((cell) => /^cloud[A-Z]\w+$/.test(cell));
    if (at < 1 || !label.test(cells[0] ?? '')) return [];
    const labels = cells.slice(0, at).map((cell) => cell.replaceAll('`', ''));
    return [{ labels, kind: cells[at] ?? '', says: cells.slice(at + 1).join(' | ') }];
  });
}

/** @throws AssertionError when a row says something else than the table of refusal-table.ts. `the same` is what the row before says, or the row it names. */
export function assertDecisions(rows: readonly ToldRefusal[]): void {
  const said = new Map<string, string | undefined>();
  let before: string | undefined;
  for (const { labels, kind, says } of rows) {
    const name = labels.join(' ');
    const [, other] = /^the same as (\w+)/.exec(says) ?? [];
    const meant = other !== undefined ? said.get(other) : says.startsWith('the same') ? before : says;
    assert.ok(meant !== undefined, `${name}: there is nothing that "${says}" can refer to`);
    const never = meant.startsWith('does not happen');
    // What never happens is no example for the next row.
    before = never ? undefined : meant;
    said.set(labels[0] ?? '', before);
    if (never) continue;
    const { next, pause } = decisionFor(new Failure(kind as keyof typeof catalogue, {})); // a name of the page; an unknown one is read back, and told so
    const found = phrases.filter((phrase) => phrase.says.test(meant));
    assert.ok(
      found.length > 0 && found.every((one) => one.next === next && one.pause === pause),
      `${name} is ${kind}: ${next}, ${pause}, not "${meant}"`,
    );
  }
}
