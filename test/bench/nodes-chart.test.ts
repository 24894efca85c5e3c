/** The curves over the number of nodes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Row, rowOf } from '../../bench/rows.ts';
import { nodesChart } from '../../bench/simulated/nodes-chart.ts';

const sizes = [50, 200, 1000, 5000];
const cases = ['change/served', 'churn/served', 'cold-start/cpu-per-node', 'quiet/cpu', 'churn/cpu', 'rss'];
const rows = (of: readonly number[]): Row[] =>
  of.flatMap((size) => cases.map((name, i) => rowOf(`nodes/${size}/${name}`, 'controller', 'ms', [size / 10 + i])));

test('each size has its place on every curve, in order, and every point lies inside of the picture', () => {
  const svg = nodesChart(rows(sizes), 'a <machine>');
  const curves = [...svg.matchAll(/points="([^"]*)"/g)].map(([, points = '']) =>
    points.split(' ').map((one) => one.split(',').map(Number)),
  );
  assert.equal(curves.length, 8);
  for (const points of curves) {
    const across = points.map(([x = Number.NaN]) => x);
    assert.equal(across.length, sizes.length);
    assert.deepEqual(
      across,
      across.toSorted((a, b) => a - b),
    );
    for (const [x = -1, y = -1] of points) assert.ok(x >= 0 && x <= 420 && y >= 0 && y <= 210, `${x},${y}`);
  }
  assert.ok(svg.includes('a &lt;machine>'));
});

test('sizes that were not measured are left out', () => {
  const svg = nodesChart(rows([50, 500]), 'a machine');
  assert.ok(svg.includes('>500<') && !svg.includes('>5000<'));
  assert.ok(!svg.includes('NaN'));
});
