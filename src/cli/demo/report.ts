/** What the demo found, for people and for machines. */
import { styled, table } from '../table.ts';
import type { Leftovers } from './leftovers.ts';
import type { Answer } from './matrix.ts';
import { groups } from './questions.ts';

/** What the demo found. */
export interface Report {
  readonly answers: readonly Answer[];
  readonly add_ms: readonly number[];
  readonly del_ms: readonly number[];
  /** undefined when the demo was kept running. */
  readonly leftovers: Leftovers | undefined;
  /** Sentences; empty when all went well. */
  readonly failures: readonly string[];
}

/** Prints to stdout: tables, or one JSON object. */
export function printReport(report: Report, json: boolean): void {
  const out = process.stdout;
  if (json) {
    const matrix = report.answers.map(({ group, from, to, seen, problem, right }) => ({
      group,
      from: from.name,
      to: to.name,
      address: to.address,
      seen,
      problem,
      right,
    }));
    const times = { add_ms: percentiles(report.add_ms), del_ms: percentiles(report.del_ms) };
    out.write(
      `${JSON.stringify({ ok: report.failures.length === 0, matrix, ...times, leftovers: report.leftovers, failures: report.failures })}\n`,
    );
    return;
  }
  out.write(
    `\n${table(
      out,
      ['WHO → WHOM', 'REACHED', 'FOR EXAMPLE', 'SEEN AS'],
      groups.map((group) => groupRow(report.answers, group)),
    )}\n`,
  );
  out.write(grid(report.answers));
  const times = [timeRow('ADD', report.add_ms), ...(report.del_ms.length > 0 ? [timeRow('DEL', report.del_ms)] : [])];
  out.write(`\n${table(out, ['VERB', 'CALLS', 'P50 ms', 'MAX ms'], times)}\n`);
  if (report.leftovers !== undefined) {
    const left = Object.entries(report.leftovers);
    out.write(`${table(out, ['LEFT AFTER DEL', ...left.map(([what]) => what)], [['', ...left.map(([, n]) => String(n))]])}\n`);
  }
  if (report.failures.length === 0) out.write(`${styled(out, 'green', 'All as it should be.')}\n`);
  else out.write(`${styled(out, 'red', 'Wrong:')}\n${report.failures.map((failure) => `  ${failure}\n`).join('')}`);
}

function groupRow(answers: readonly Answer[], group: string): string[] {
  const own = answers.filter((answer) => answer.group === group);
  const right = own.filter((answer) => answer.right).length;
  const shown = own.find((answer) => !answer.right) ?? own[0];
  const reached = styled(process.stdout, right === own.length ? 'green' : 'red', `${right} of ${own.length}`);
  const example = shown === undefined ? '' : `${shown.from.name} (${shown.from.address}) → ${shown.to.address}`;
  return [group, reached, example, shown?.seen ?? shown?.problem ?? ''];
}

/** A letter a cell: `=` seen under its own address, `N` under its node's public one, `✘` wrong, blank not asked. */
function grid(answers: readonly Answer[]): string {
  const ends = [...new Set(answers.map((answer) => answer.from.name))];
  const asked = new Set(answers.map((answer) => answer.to.name));
  // The same order as the rows, then those that only answer.
  const to = [...ends.filter((name) => asked.has(name)), ...[...asked].filter((name) => !ends.includes(name))];
  const cells = new Map<string, string>();
  for (const answer of answers) {
    const mark = answer.right ? (answer.seen === answer.from.address ? '=' : 'N') : '✘';
    const key = `${answer.from.name} ${answer.to.name}`;
    if (cells.get(key) !== '✘') cells.set(key, mark);
  }
  const heading = ['from \\ to', ...to.map((_, i) => String.fromCodePoint(97 + i))];
  const legend = to.map((name, i) => `${String.fromCodePoint(97 + i)} ${name}`).join('   ');
  const rows = ends.map((from) => [from, ...to.map((name) => cells.get(`${from} ${name}`) ?? '·')]);
  return `${table(process.stdout, heading, rows)}${legend}\n= seen under its own address, N under its node's address, ✘ wrong, · not asked\n`;
}

function timeRow(verb: string, times: readonly number[]): string[] {
  const { p50, max } = percentiles(times);
  return [verb, String(times.length), p50.toFixed(1), max.toFixed(1)];
}

function percentiles(times: readonly number[]): { p50: number; max: number } {
  const sorted = times.toSorted((a, b) => a - b);
  return { p50: sorted[Math.floor(sorted.length / 2)] ?? 0, max: sorted.at(-1) ?? 0 };
}
