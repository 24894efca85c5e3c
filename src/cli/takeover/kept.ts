/** kept.json of an import: addresses and the names of Pods. Their containers the runtime knows. */
import { hostname } from 'node:os';
import * as z from 'zod';
import type { FormerPod } from '../../agent/adopted/request.ts';
import { type Sandbox, sandboxes } from '../../cri/runtime.ts';
import type { FormerPlugin } from '../../datapath/interface.ts';
import { failure } from '../../errors/failure.ts';
import { ip } from '../../store/schema-parts.ts';
import type { TakeoverOptions } from './commands.ts';
import { jsonOf, sayIssues } from './json-file.ts';

const keptFile = z.array(z.object({ address: ip, namespace: z.string(), pod: z.string(), node: z.string() }));
type KeptEntry = z.infer<typeof keptFile>[number];

/** Of the names of nodes so many are told. */
const TOLD = 8;

/** Those of this node. `gone`: in words, those that the runtime has no sandbox of. @throws Failure badOption, takeoverMistaken, takeoverElsewhere, runtime*. */
export async function readKept(
  plugin: FormerPlugin,
  { kept, node, runtimeSocket }: TakeoverOptions,
): Promise<{ readonly pods: FormerPod[]; readonly gone: string[] }> {
  if (kept === undefined)
    throw failure('badOption', { option: 'takeover', value: plugin, remedy: 'give the kept.json that flatpod import wrote: --kept FILE' });
  const read = keptFile.safeParse(jsonOf(plugin, kept));
  if (!read.success) throw failure('takeoverMistaken', { system: plugin, path: kept, reason: sayIssues(read.error) }, read.error);
  const name = node ?? process.env['NODE_NAME'] ?? hostname();
  const named = [...new Set(read.data.map((entry) => entry.node))].filter((one) => one !== '').toSorted();
  // Without a node in it, the runtime decides whether the Pod is here.
  const here = read.data.filter((entry) => entry.node === '' || entry.node === name);
  // Also where it is the right name: somebody is to see that nothing of the list is of this node.
  if (here.length === 0 && named.length > 0) {
    const nodes = named.length > TOLD ? `${named.slice(0, TOLD).join(', ')} and ${named.length - TOLD} others` : named.join(', ');
    throw failure('takeoverElsewhere', { system: plugin, path: kept, node: name, nodes });
  }
  const byPod = Map.groupBy(here, ({ namespace, pod }) => `${namespace}/${pod}`);
  const listed = byPod.size === 0 ? [] : await sandboxes(runtimeSocket);
  const [pods, gone]: [FormerPod[], string[]] = [[], []];
  for (const [called, entries] of byPod) {
    const pod = podOf(entries, listed);
    if (pod !== undefined) pods.push(pod);
    else if (entries.some((entry) => entry.node === name)) gone.push(`${called} (${entries.map(({ address }) => address).join(', ')})`);
  }
  return { pods, gone };
}

/** With its living sandbox, or else with the last one that there was. */
function podOf(entries: readonly KeptEntry[], listed: readonly Sandbox[]): FormerPod | undefined {
  const [first] = entries;
  const its = listed.filter(({ namespace, name }) => namespace === first?.namespace && name === first.pod);
  const sandbox = its.find(({ ready }) => ready) ?? its.toSorted((a, b) => b.attempt - a.attempt)[0];
  if (sandbox === undefined) return undefined;
  const { id: container, namespace, name, uid, ready: runs } = sandbox;
  return { container, ifname: 'eth0', pod: { namespace, name, uid }, runs, addresses: [...new Set(entries.map(({ address }) => address))] };
}
