/**
 * Writes what is made from the chart and for it: deploy/flatpod.yaml, for clusters without Helm, and the chart's copies of deploy/crds (a chart is
 * packed on its own, so it cannot point outside). `node scripts/manifest.ts`; test/deploy proves that all of it is up to date.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { chart, rendered } from './helm.ts';

const root = resolve(import.meta.dirname, '..');
const crds = join(root, 'deploy/crds');

const HEAD = `# Flatpod for clusters without Helm. Made from deploy/chart/flatpod by scripts/manifest.ts: change that, not this file.
#
# Two ConfigMaps below have to be filled in before \`kubectl apply --server-side -f\` (--server-side: the CRDs are too long for the annotation that
# kubectl would keep otherwise): flatpod-controller (cluster, cloud.endpoint) and flatpod-agent (serviceCidrs). Then apply a PodSubnet (docs/objects.md).
`;

/** Stand for what every cluster has to fill in. */
const placeholders = { cluster: 'FILL-IN', cloud: { endpoint: 'http://FILL-IN:9100' } };

/** Every file that this script writes, with its text. */
export function generated(): ReadonlyMap<string, string> {
  const copies = readdirSync(crds).map((name) => [join(chart, 'files/crds', name), readFileSync(join(crds, name), 'utf8')] as const);
  return new Map([...copies, [join(root, 'deploy/flatpod.yaml'), manifest()]]);
}

function manifest(): string {
  const text = rendered(placeholders).replaceAll(/^# Source: .*\n/gm, '');
  return `${HEAD}${text}`.replaceAll(/\n{2,}---/g, '\n---');
}

function main(): void {
  const copies = join(chart, 'files/crds');
  // A kind that is no more.
  for (const name of readdirSync(copies)) if (!readdirSync(crds).includes(name)) rmSync(join(copies, name));
  for (const name of readdirSync(crds)) writeFileSync(join(copies, name), readFileSync(join(crds, name)));
  for (const [path, text] of generated()) writeFileSync(path, text);
}

if (import.meta.main) main();
