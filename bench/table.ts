/** The figures as a table: one line a case and subject; the ratio to Flatpod beside, or a bar where the rows are parts of one whole. */
import type { Row } from './rows.ts';

const units: Readonly<Record<Row['unit'], string>> = {
  ms: 'ms',
  us: 'µs',
  per_s: '/s',
  mib: 'MiB',
  gbit_per_s: 'Gbit/s',
  percent: '%',
  s: 's',
  per_pod: 'a Pod',
  per_min: '/min',
  calls: 'calls',
  count: '',
};
const OURS = 'flatpod';

/** Aligned text. A ratio says how much slower (time) or faster (rate) Flatpod is: below 1 it is the better one for times, above 1 for rates. */
export function tableOf(rows: readonly Row[]): string {
  const head = ['case', 'subject', 'n', 'p50', 'p90', 'p99', '', `${OURS} is`];
  const lines = rows.map((row) => [
    row.case,
    row.subject,
    String(row.n),
    figure(row.p50),
    figure(row.p90),
    figure(row.p99),
    units[row.unit],
    row.case.endsWith('/parts') ? bar(row, rows) : ratio(row, rows),
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => line[column]?.length ?? 0)));
  const left = new Set([0, 1, 6, 7]);
  return [head, ...lines]
    .map((line) =>
      line.map((cell, column) => (left.has(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  '),
    )
    .map((line) => line.trimEnd())
    .join('\n');
}

function figure(value: number): string {
  if (Number.isNaN(value)) return '-';
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** The row's share of the whole, half a column a percent. */
function bar(row: Row, rows: readonly Row[]): string {
  const whole = rows.filter((other) => other.case === row.case).reduce((sum, { p50 }) => sum + p50, 0);
  const percent = whole === 0 ? 0 : (100 * row.p50) / whole;
  return `${'█'.repeat(Math.round(percent / 2))} ${percent.toFixed(0)} %`.trimStart();
}

function ratio(row: Row, rows: readonly Row[]): string {
  const ours = rows.find((other) => other.case === row.case && other.subject === OURS);
  if (ours === undefined || ours === row || row.p50 === 0) return '';
  return `× ${(ours.p50 / row.p50).toFixed(2)}`;
}
