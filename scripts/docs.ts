/** Writes docs/configuration.md from the schemas, and docs/errors.md from the catalogue: `node scripts/docs.ts`. A test says when it must be run again. */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { controllerConfig } from '../src/store/controller-config.ts';
import { nodeConfig } from '../src/store/node-config.ts';
import { podSubnet } from '../src/store/pod-subnet.ts';
import { errorsPage, errorsPath } from './errors-page.ts';

/** Where the page lives. */
export const configurationPath = join(resolve(import.meta.dirname, '..'), 'docs/configuration.md');

/** The part of JSON Schema that our schemas turn into. */
interface Shape {
  readonly description?: string;
  readonly type?: string;
  readonly const?: string | number;
  readonly enum?: readonly (string | number)[];
  readonly default?: unknown;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape;
  readonly required?: readonly string[];
}

const introduction = `# Configuration

*Made by \`scripts/docs.ts\` from the schemas in \`src/store/\`: change those, not this page.*

An agent reads one YAML file: \`flatpod agent --config FILE\`. Its first document is the NodeConfig; each further one is a PodSubnet. In a cluster the NodeConfig
has \`spec.cluster\` instead of a cloud and an instance, and PodSubnets are objects of the API server ([objects.md](objects.md)).
\`flatpod config check FILE\` reports every mistake by line, field and remedy. Unknown keys, keys given twice and values out of range are mistakes;
nothing is ignored or guessed. Without a file the agent serves what needs no cloud.

## A complete example

\`\`\`yaml
`;

/** Every key that has no obvious value of its own is shown; a test reads it. */
const example = `apiVersion: flatpod.dev/v1alpha1
kind: NodeConfig
metadata:
  name: node-a
spec:
  instance: i-0a
  cloud:
    type: vpc
    endpoint: http://127.0.0.1:9460
  snat:
    exclude: [192.168.0.0/16]        # the office, by VPN: it knows the Pods' addresses
  cooldown_s: 180
  runtimeSocket: /run/containerd/containerd.sock
  serviceCidrs: [10.96.0.0/12]
---
apiVersion: flatpod.dev/v1alpha1
kind: PodSubnet
metadata:
  name: general
spec:
  cloudSubnet: subnet-1
  default: true                      # all Pods that no other PodSubnet names
  families: [4, 6]
  exclude: [10.20.0.250, 10.20.0.64/28]
  warm: {minimum: 8, spare: 4}
  perNode: {maximum: 110}
---
apiVersion: flatpod.dev/v1alpha1
kind: PodSubnet
metadata:
  name: databases
spec:
  cloudSubnet: subnet-2
  namespaces: [postgres, redis]
  unit: prefix                       # 16 addresses for one slot of the interface
  securityGroups: [sg-databases]
  useFirstNic: false
`;

const middle = `\`\`\`

## Which PodSubnet serves a Pod

The one that the network configuration names with \`subnet\`; else those that list the Pod's namespace; else those with \`default: true\`. Of several the one
with the highest \`priority\` comes first, then the one whose name comes first; when one is full the next is tried. In a cluster labels and an annotation
of the namespace count too: [objects](objects.md).

## When a node asks for addresses, and when it gives them back

free = held − in use − cooling. A node asks for more as soon as fewer than \`warm.spare\` are free (besides those that Pods wait for) or fewer than
\`warm.minimum\` are held, and never holds more than \`perNode.maximum\`. It gives back what is free beyond twice \`warm.spare\`; in between nothing moves, so that
Pods which come and go make no cloud calls. With \`unit: prefix\` all that happens by sixteens: a prefix that would not fit wholly below the maximum is
not asked for, and one goes back only as a whole. A subnet with \`families: [6]\` needs one /80 for each interface, which counts as \`perNode.maximum\` addresses.

`;

/** The whole page. */
export function configurationPage(): string {
  const kinds = [
    ['NodeConfig', 'the first document: which cloud, and how this node’s kernel is used.', nodeConfig],
    [
      'ControllerConfig',
      'the one document of `flatpod controller --config FILE`, or of `flatpod agent --controller FILE`, in a cluster.',
      controllerConfig,
    ],
    ['PodSubnet', 'a cloud subnet that Pods may use. Counts are IPv4 addresses, or IPv6 ones in a subnet without IPv4.', podSubnet],
  ] as const;
  const sections = kinds.map(([kind, what, schema]) => {
    // Written by zod for our own schemas; only the fields of Shape are read.
    const shape = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Shape;
    return `## ${kind}\n\n${what[0]?.toUpperCase()}${what.slice(1)}\n\n| key | value | default | meaning |\n|---|---|---|---|\n${[...rowsOf(shape, '')].join('\n')}\n`;
  });
  return `${introduction}${example}${middle}${sections.join('\n')}`;
}

function* rowsOf(shape: Shape, at: string): Generator<string> {
  for (const [key, inner] of Object.entries(shape.properties ?? {})) {
    const path = at === '' ? key : `${at}.${key}`;
    yield row(path, inner, shape.required?.includes(key) === true);
    yield* rowsOf(inner, path);
    if (inner.items !== undefined) yield* rowsOf(inner.items, `${path}[]`);
  }
  yield* alternativesOf(shape, at);
}

/** Rows of a mapping whose `type` says which keys it has: what it may be, then each key once for all that have it alike. */
function* alternativesOf({ oneOf = [] }: Shape, at: string): Generator<string> {
  const keys = new Map<string, { row: string; types: string[] }>();
  for (const { properties = {}, required = [] } of oneOf) {
    const { type, ...rest } = properties;
    if (type !== undefined) yield row(`${at}.type`, type, true);
    for (const [key, inner] of Object.entries(rest)) {
      for (const text of [row(`${at}.${key}`, inner, required.includes(key)), ...rowsOf(inner, `${at}.${key}`)]) {
        const found = keys.get(text) ?? { row: text, types: [] };
        found.types.push(String(type?.const));
        keys.set(text, found);
      }
    }
  }
  for (const { row: text, types } of keys.values())
    yield types.length === oneOf.length ? text : text.replace(/ \|$/, ` (${types.join(', ')}) |`);
}

function row(path: string, shape: Shape, required: boolean): string {
  const isMapping = shape.properties !== undefined || shape.oneOf !== undefined;
  const missing = required ? '*required*' : '';
  const fallback = isMapping || shape.default === undefined ? missing : `\`${JSON.stringify(shape.default)}\``;
  return `| \`${path}\` | ${isMapping ? 'mapping' : valueOf(shape)} | ${fallback} | ${shape.description ?? ''} |`;
}

/** What may stand there, in words. */
function valueOf(shape: Shape): string {
  if (shape.const !== undefined) return `\`${String(shape.const)}\``;
  if (shape.enum !== undefined) return shape.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (shape.anyOf !== undefined) return shape.anyOf.map(valueOf).join(' or ');
  switch (shape.type) {
    case 'array':
      if (shape.items?.properties !== undefined) return 'list of mappings';
      return `list of ${shape.items === undefined ? 'anything' : valueOf(shape.items)}`;
    case 'integer':
      return `${shape.minimum} … ${shape.maximum}`;
    case 'boolean':
      return 'true, false';
    case 'object':
      return shape.additionalProperties?.type === 'integer' ? 'numbers by name' : 'texts by name';
    default:
      return shape.format === 'uri' ? 'URL' : 'text';
  }
}

if (import.meta.main) {
  writeFileSync(configurationPath, configurationPage());
  writeFileSync(errorsPath, errorsPage());
}
