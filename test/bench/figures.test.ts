/** From single measurements to figures, table and chart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { chartOf } from '../../bench/chart.ts';
import { rowOf } from '../../bench/rows.ts';
import { tableOf } from '../../bench/table.ts';

test('a percentile is one of the measurements, and so many of them are no greater', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 300 }), (values) => {
      const row = rowOf('add/0', 'c', 'ms', values);
      for (const [share, value] of [
        [0.5, row.p50],
        [0.9, row.p90],
        [0.99, row.p99],
      ] as const) {
        assert.ok(values.includes(value));
        assert.ok(values.filter((one) => one <= value).length >= share * values.length);
      }
    }),
  );
});

test('the p90 of a rate is what nine of ten rounds reach', () => {
  const rates = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100];
  assert.deepEqual(rowOf('burst-add/50', 'c', 'per_s', rates, 500), {
    case: 'burst-add/50',
    subject: 'c',
    unit: 'per_s',
    n: 500,
    p50: 60,
    p90: 20,
    p99: 10,
  });
});

test('the table shows what Flatpod is of each other, case by case', () => {
  const table = tableOf([
    rowOf('add/0', 'flatpod', 'ms', [2]),
    rowOf('add/0', 'ptp', 'ms', [10]),
    rowOf('add/1000', 'ptp', 'ms', [12]),
  ]).split('\n');
  assert.match(table[1] ?? '', /^add\/0 +flatpod +1 +2\.00 +2\.00 +2\.00 +ms$/);
  assert.match(table[2] ?? '', /^add\/0 +ptp .* ms +× 0\.20$/);
  assert.match(table[3] ?? '', /ms$/);
});

test('the parts of a whole have bars that add up', () => {
  const [, first = '', second = ''] = tableOf([rowOf('add/parts', 'a', 'us', [30]), rowOf('add/parts', 'b', 'us', [10])]).split('\n');
  assert.match(first, / µs +█{38} 75 %$/);
  assert.match(second, / µs +█{13} 25 %$/);
});

test('the chart has a bar for each subject, the longest as wide as there is room, and leaves out what was not measured', () => {
  const chart = chartOf([rowOf('add/0', 'flatpod', 'ms', [2]), rowOf('add/0', 'ptp', 'ms', [10])], 'a < b & c');
  const widths = [...chart.matchAll(/<rect class="(\w+)"[^>]* width="([\d.]+)"/g)].map(([, kind, width]) => [kind, Number(width)]);
  assert.deepEqual(
    widths.map(([kind]) => kind),
    ['ours', 'other'],
  );
  assert.ok(Math.abs(Number(widths[1]?.[1]) / Number(widths[0]?.[1]) - 5) < 0.01);
  assert.match(chart, /a &lt; b &amp; c/);
  assert.doesNotMatch(chart, /at once/);
});
