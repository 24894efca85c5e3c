/** The curves over the number of nodes as plain SVG: four panels, nodes on a logarithmic axis. Colours are those of the page it stands on. */
import type { Row } from '../rows.ts';

const [WIDTH, HEIGHT] = [420, 210];
const [LEFT, TOP, RIGHT, BOTTOM] = [48, 40, 16, 28];

/** One line of a panel. */
interface Curve {
  readonly words: string;
  readonly kind: 'ours' | 'other';
  readonly dashed?: true;
  /** Case without `nodes/N/`. */
  readonly case: string;
  readonly at: 'p50' | 'p90';
}

interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly curves: readonly Curve[];
}

const panels: readonly Panel[] = [
  {
    title: 'From demand to grant',
    unit: 'ms',
    curves: [
      { words: 'p50, all others quiet', kind: 'ours', case: 'change/served', at: 'p50' },
      { words: 'p90', kind: 'ours', dashed: true, case: 'change/served', at: 'p90' },
      { words: 'p50, 5 % of nodes churn', kind: 'other', case: 'churn/served', at: 'p50' },
      { words: 'p90', kind: 'other', dashed: true, case: 'churn/served', at: 'p90' },
    ],
  },
  {
    title: 'CPU of a cold start, for each node',
    unit: 'ms',
    curves: [{ words: '30 addresses on a new interface', kind: 'ours', case: 'cold-start/cpu-per-node', at: 'p50' }],
  },
  {
    title: 'CPU',
    unit: '% of one processor',
    curves: [
      { words: 'nothing changes', kind: 'ours', case: 'quiet/cpu', at: 'p50' },
      { words: '5 % of nodes churn', kind: 'other', case: 'churn/cpu', at: 'p50' },
    ],
  },
  { title: 'Resident memory', unit: 'MiB', curves: [{ words: 'after the cold start', kind: 'ours', case: 'rss', at: 'p50' }] },
];

const conditions = 'one controller, real API server and etcd, simulated agents and cloud, all on this machine; make bench';

/** An SVG document. Sizes of clusters are taken from the rows. */
export function nodesChart(rows: readonly Row[], machine: string): string {
  const sizes = [...new Set(rows.flatMap((row) => /^nodes\/(\d+)\//.exec(row.case)?.[1] ?? []))].map(Number).toSorted((a, b) => a - b);
  const drawn = panels.map((panel, i) => {
    const [x, y] = [(i % 2) * WIDTH, Math.floor(i / 2) * HEIGHT];
    return `<g transform="translate(${x} ${y})">\n${panelOf(panel, sizes, rows)}\n</g>`;
  });
  const [width, height] = [2 * WIDTH, Math.ceil(panels.length / 2) * HEIGHT + 24];
  const label = `One controller, ${sizes.join(', ')} nodes: ${panels.map(({ title }) => title).join('; ')}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">
<style>
  text { font: 11px system-ui, sans-serif; fill: #57606a }
  .title { font-size: 13px; font-weight: 600 } .end { text-anchor: end } .middle { text-anchor: middle }
  polyline { fill: none; stroke-width: 2 } .dashed { stroke-dasharray: 4 4 } line { stroke: #8c959f; stroke-opacity: .35 }
  polyline.ours { stroke: #2f81f7 } circle.ours, text.ours { fill: #2f81f7 } polyline.other { stroke: #8c959f } circle.other, text.other { fill: #6e7781 }
  @media (prefers-color-scheme: dark) { text { fill: #adbac7 } }
</style>
${drawn.join('\n')}
${text(0, height - 8, '', `${machine}; ${conditions}`)}
</svg>
`;
}

function panelOf({ title, unit, curves }: Panel, sizes: readonly number[], rows: readonly Row[]): string {
  const lines = curves.map((curve) => ({ curve, values: sizes.map((size) => valueOf(curve, size, rows)) }));
  const top = niceAbove(Math.max(0, ...lines.flatMap(({ values }) => values.filter((value) => value !== undefined))));
  const [low, high] = [Math.log(sizes[0] ?? 1), Math.log(sizes.at(-1) ?? 10)];
  const x = (size: number): number => LEFT + ((Math.log(size) - low) / Math.max(high - low, 1)) * (WIDTH - LEFT - RIGHT - 20);
  const y = (value: number): number => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const grid = [0, top / 2, top].map(
    (value) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}"/>${text(LEFT - 6, y(value) + 4, 'end', String(value))}`,
  );
  const ticks = sizes.map((size) => text(x(size), HEIGHT - BOTTOM + 16, 'middle', String(size)));
  const drawn = lines.map(({ curve, values }) => {
    const points = sizes.flatMap((size, i) => (values[i] === undefined ? [] : [[x(size), y(values[i])] as const]));
    const dots = points.map(([cx, cy]) => `<circle class="${curve.kind}" cx="${cx.toFixed(1)}" cy="${cy.toFixed(1)}" r="2.5"/>`);
    const path = points.map(([cx, cy]) => `${cx.toFixed(1)},${cy.toFixed(1)}`).join(' ');
    return `<polyline class="${curve.kind}${curve.dashed === true ? ' dashed' : ''}" points="${path}"/>${dots.join('')}`;
  });
  const names = curves.map((curve, i) => text(LEFT + (i % 2) * 170, 27 + Math.floor(i / 2) * 12, curve.kind, keyOf(curve)));
  return [text(0, 13, 'title', `${title}, ${unit}`), ...grid, ...ticks, ...drawn, ...names].join('\n');
}

function keyOf({ words, dashed }: Curve): string {
  return `${dashed === true ? '┅' : '━'} ${words}`;
}

function valueOf(curve: Curve, size: number, rows: readonly Row[]): number | undefined {
  return rows.find((row) => row.case === `nodes/${size}/${curve.case}`)?.[curve.at];
}

/** 1, 2 or 5 times a power of ten. */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= value) ?? 10 * power;
}

function text(x: number, y: number, kind: string, words: string): string {
  const safe = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text class="${kind}" x="${x.toFixed(1)}" y="${y.toFixed(1)}">${safe}</text>`;
}
