/** The README's chart: bars as plain SVG. Colours are those of the page it stands on: it reads in light and in dark. */
import type { Row } from './rows.ts';

const WIDTH = 860;
const LABEL = 190;
const FIGURE = 70;
const BAR = 18;
const GAP = 6;
const HEAD = 34;
const OURS = 'flatpod';

/** One group of bars. */
interface Group {
  readonly title: string;
  readonly case: string;
  readonly unit: string;
}

const groups: readonly Group[] = [
  { title: 'ADD, exec to exit, p50 (less is better)', case: 'add/0', unit: 'ms' },
  { title: 'ADD with 1000 Pods on the node, p50', case: 'add/1000', unit: 'ms' },
  { title: 'DEL, exec to exit, p50', case: 'del/0', unit: 'ms' },
  { title: '50 ADDs at once (more is better)', case: 'burst-add/50', unit: 'Pods/s' },
  { title: '80 Pods at once on a real cluster of two nodes, from created to ready, p50', case: 'pod-start/80', unit: 'ms' },
];

/** An SVG document; groups without figures are left out. */
export function chartOf(rows: readonly Row[], conditions: string): string {
  let y = 8;
  const parts: string[] = [];
  const titles: string[] = [];
  for (const { title, case: name, unit } of groups) {
    const bars = rows.filter((row) => row.case === name).toSorted((a, b) => (unit === 'ms' ? a.p50 - b.p50 : b.p50 - a.p50));
    if (bars.length === 0) continue;
    titles.push(title);
    const longest = Math.max(...bars.map(({ p50 }) => p50));
    parts.push(text(0, y + 18, 'title', title));
    y += HEAD;
    for (const { subject, p50 } of bars) {
      const width = Math.max(1, (p50 / longest) * (WIDTH - LABEL - FIGURE - 40));
      const kind = subject === OURS ? 'ours' : 'other';
      parts.push(
        text(LABEL - 8, y + 13, `${kind} label`, nameOf(subject)),
        `<rect class="${kind}" x="${LABEL}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2"/>`,
        text(LABEL + width + 6, y + 13, kind, `${p50 >= 100 ? p50.toFixed(0) : p50.toFixed(1)} ${unit}`),
      );
      y += BAR + GAP;
    }
    y += 14;
  }
  parts.push(text(0, y + 6, 'small', conditions));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y + 16}" viewBox="0 0 ${WIDTH} ${y + 16}" role="img" aria-label="${titles.join('; ')}">
<style>
  text { font: 13px system-ui, sans-serif; fill: #57606a }
  .title { font-weight: 600 } .small { font-size: 11px } .label { text-anchor: end }
  text.ours { font-weight: 600 } rect.other { fill: #8c959f } rect.ours { fill: #2f81f7 }
  @media (prefers-color-scheme: dark) { text { fill: #adbac7 } rect.other { fill: #636e7b } }
</style>
${parts.join('\n')}
</svg>
`;
}

/** What a stranger understands. */
function nameOf(subject: string): string {
  const names: Readonly<Record<string, string>> = {
    'flatpod-cold': 'flatpod, cold pool',
    c: 'C, in process',
    'c-exec': 'C, one executable',
    'ip-batch': 'ip -batch (shell)',
    ptp: 'ptp + host-local',
    bridge: 'bridge + host-local',
    macvlan: 'macvlan + host-local',
    'flatpod-macvlan': 'flatpod by macvlan',
  };
  return names[subject] ?? subject;
}

function text(x: number, y: number, kind: string, words: string): string {
  const safe = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text class="${kind}" x="${x.toFixed(1)}" y="${y.toFixed(1)}">${safe}</text>`;
}
