/** `kubectl flatpod why`: why a Pod has no address. */
import { readNamespace } from '../../store/kubernetes/core-objects.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import { type Output, styled } from '../table.ts';
import { type PodView, readEventView, readNodeView } from './core.ts';
import { type Kubectl, openKubectl } from './kubectl.ts';
import { readNodeNetwork } from '../../store/kubernetes/stored-node-network.ts';
import { readAgents, readClaims, readLease, readNetworks, readServiceAccountOf, readSubnets } from './read.ts';
import { findPod, type PodOptions } from './target.ts';
import type { WhyFacts } from './why-facts.ts';
import { type Why, whyOf } from './why-of.ts';

const events = { group: '', version: 'v1', resource: 'events' } as const;

/** Prints the reason and its evidence; 0 when the Pod has an address, or is to have none. */
export async function showWhy(asked: string, options: PodOptions): Promise<number> {
  const kubectl = openKubectl(options);
  const why = whyOf(await factsOf(kubectl, await findPod(kubectl, asked, options)));
  process.stdout.write(options.json ? `${JSON.stringify(why)}\n` : whyText(process.stdout, why));
  return why.well ? 0 : 1;
}

/** The answer as text. */
function whyText(out: Output, { sentence, remedy, evidence, well }: Why): string {
  return [
    `${styled(out, well ? 'green' : 'red', sentence)}\n`,
    ...(remedy === '' ? [] : [`${styled(out, 'bold', 'What to do')}: ${remedy}\n`]),
    `\n${evidence.map((fact) => `- ${fact}\n`).join('')}`,
  ].join('');
}

/** Reads all that an answer may need. @throws Failure kubectl*, flatpodMissing */
async function factsOf(kubectl: Kubectl, pod: PodView): Promise<WhyFacts> {
  const { namespace, uid, node } = pod;
  const about = { fieldSelector: `involvedObject.uid=${uid}` };
  const [itsNamespace, serviceAccount, itsNode, networks, subnets, claims, told, lease, agents] = await Promise.all([
    kubectl.get({ ...resources.namespaces, name: namespace }, readNamespace),
    readServiceAccountOf(kubectl, pod),
    node === undefined ? undefined : kubectl.get({ ...resources.nodes, name: node }, readNodeView),
    networksOf(kubectl, node),
    readSubnets(kubectl),
    readClaims(kubectl, namespace),
    kubectl.list({ ...events, namespace }, readEventView, about),
    readLease(kubectl),
    node === undefined ? [] : readAgents(kubectl, node),
  ]);
  const now_ms = Date.now();
  const facts = {
    pod,
    namespace: itsNamespace,
    serviceAccount,
    node: itsNode,
    networks,
    subnets: subnets.items,
    claims: claims.items,
    lease,
  };
  return { ...facts, events: told.items, agent: agents?.[0], now_ms };
}

/** Of the Pod's node; of all when it has none. */
async function networksOf(kubectl: Kubectl, node: string | undefined): Promise<WhyFacts['networks']> {
  if (node === undefined) return (await readNetworks(kubectl)).items;
  const found = await kubectl.get({ ...resources.nodeNetworks, name: node }, readNodeNetwork);
  return found === undefined ? [] : [found];
}
