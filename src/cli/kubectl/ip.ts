/** `kubectl flatpod ip`: who has an address now, and who had it before. */
import type { AddressReport } from '../../agent/address-report.ts';
import { failure } from '../../errors/failure.ts';
import { type Ip, tryParseIp } from '../../net/address.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import { formerText, sayAddress } from '../ip.ts';
import { type Output, styled } from '../table.ts';
import { nodesWith, type Owner, type OwnerFacts, ownerOf } from './address-owner.ts';
import { askNode } from './ask-node.ts';
import { readNodeView, readPodView } from './core.ts';
import { type Kubectl, openKubectl } from './kubectl.ts';
import type { StoredNodeNetwork } from '../../store/kubernetes/stored-node-network.ts';
import { readAgents, readClaims, readNetworks, readSubnets } from './read.ts';
import type { CommonOptions } from './target.ts';
import { some } from './words.ts';

/** Of so many nodes every agent is asked, without being told to. */
const MOST_ASKED = 16;
/** Agents that are asked at a time. */
const AT_ONCE = 4;

/** Options as typed. */
export interface IpOptions extends CommonOptions {
  /** Asks every agent who had it before, however many there are, not only the one that has it now. */
  readonly everywhere: boolean;
}

/** What is printed; plain JSON. */
export interface AddressAnswer extends Owner {
  readonly address: string;
  /** From the agents that were asked. */
  readonly nodes: readonly AddressReport[];
  /** What could not be asked. */
  readonly problems: readonly string[];
}

/** Prints the answer; 1 when the address is of no PodSubnet and nobody's, and never was. */
export async function showOwner(text: string, options: IpOptions): Promise<number> {
  const address = tryParseIp(text);
  if (address === undefined)
    throw failure('badOption', { option: 'address', value: text, remedy: 'write it like 10.20.0.17 or 2001:db8::17' });
  const kubectl = openKubectl(options);
  const facts = await factsOf(kubectl, address);
  const { reports, problems } = await askAgents(kubectl, facts, options.everywhere);
  const answer: AddressAnswer = { ...ownerOf(facts), address, nodes: reports, problems };
  process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : answerText(process.stdout, answer));
  return answer.kind === 'nobody' && reports.every(({ former }) => former.length === 0) ? 1 : 0;
}

/** The answer as text. What an agent says of its own addresses is newer and more exact than the objects. */
function answerText(out: Output, { sentence, nodes, problems }: AddressAnswer): string {
  const told = nodes.filter(({ state }) => state !== 'notHeld').map((report) => `- its agent: ${sayAddress(report)}\n`);
  return [
    `${styled(out, 'bold', sentence)}\n${told.join('')}`,
    formerText(out, nodes),
    ...(problems.length === 0 ? [] : [problems.map((problem) => `${styled(out, 'yellow', problem)}\n`).join('')]),
  ].join('\n');
}

async function factsOf(kubectl: Kubectl, address: Ip): Promise<OwnerFacts> {
  const [networks, subnets, nodes, claims] = await Promise.all([
    readNetworks(kubectl),
    readSubnets(kubectl),
    kubectl.list(resources.nodes, readNodeView),
    readClaims(kubectl),
  ]);
  const pods = await podsWith(kubectl, address, networks.items);
  return { address, networks: networks.items, subnets: subnets.items, nodes: nodes.items, claims: claims.items, pods };
}

/** All Pods of the node that has it, since the API server selects by a Pod's first address only; else those whose first it is. */
async function podsWith(kubectl: Kubectl, address: Ip, networks: readonly StoredNodeNetwork[]): Promise<OwnerFacts['pods']> {
  const [node] = nodesWith(address, networks);
  const fieldSelector = node === undefined ? `status.podIP=${address}` : `spec.nodeName=${node}`;
  return (await kubectl.list(resources.pods, readPodView, { fieldSelector })).items;
}

async function askAgents(
  kubectl: Kubectl,
  { address, networks }: OwnerFacts,
  everywhere: boolean,
): Promise<{ reports: AddressReport[]; problems: string[] }> {
  const having = nodesWith(address, networks);
  const all = networks.map(({ name }) => name);
  const asked = everywhere || all.length <= MOST_ASKED ? all : having;
  const left = all.length - asked.length;
  const problems =
    left > 0
      ? [
          `who had it before on the other nodes (${some(
            all.filter((name) => !asked.includes(name)),
            3,
          )}) was not asked: --everywhere does`,
        ]
      : [];
  const agents = new Map(((await readAgents(kubectl)) ?? []).map((agent) => [agent.node, agent]));
  const reports: AddressReport[] = [];
  for (let i = 0; i < asked.length; i += AT_ONCE) {
    const batch = asked.slice(i, i + AT_ONCE);
    const answers = await Promise.all(batch.map((node) => askNode<AddressReport>(kubectl, node, agents.get(node), 'ip', address)));
    for (const answer of answers) {
      if ('answer' in answer) reports.push(answer.answer);
      else problems.push(answer.problem);
    }
  }
  return { reports, problems };
}
