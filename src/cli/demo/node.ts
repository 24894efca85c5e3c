/** A node of the lab: a machine with an agent in it, and the runtime that adds Pods to it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNetns, deleteNetns } from '../../kernel/netns.ts';
import { type CniAnswer, cni } from './cni.ts';
import type { Machine } from './lab.ts';
import { type Running, start } from './processes.ts';

/** A Pod's namespace and what ADD said. */
export interface LabPod {
  readonly name: string;
  readonly container: string;
  readonly netns: string;
  readonly node: LabNode;
  /** From the result of ADD, without prefix lengths. */
  readonly addresses: readonly string[];
  readonly result: string;
  readonly added_ms: number;
}

/** A node of the lab with its agent. */
export interface LabNode {
  readonly machine: Machine;
  readonly dir: string;
  readonly socket: string;
  readonly agent: Running;
  /** Variables that make executable and agent of this node find each other. */
  readonly env: Readonly<Record<string, string>>;
}

/** The network configuration all Pods of a lab are added with. */
const networkConfig = { cniVersion: '1.1.0', name: 'flatpod', type: 'flatpod' } as const;

/** Starts an agent on the machine. `yaml` is its configuration. @throws Failure labProgram. */
export async function startNode(
  machine: Machine,
  root: string,
  yaml: string,
  env: Readonly<Record<string, string>> = {},
): Promise<LabNode> {
  const dir = join(root, machine.name);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const [config, socket] = [join(dir, 'node.yaml'), join(dir, 'cni.sock')];
  writeFileSync(config, yaml);
  const own = { FLATPOD_SOCKET: socket, FLATPOD_STATE: join(dir, 'state') };
  const agent = await start(root, {
    name: machine.name,
    args: ['agent', '--config', config],
    netns: machine.netns,
    ready: socket,
    env: { ...own, ...env },
  });
  return { machine, dir, socket, agent, env: own };
}

/** Calls a verb for a Pod, as a runtime would. */
export function callFor(
  node: LabNode,
  verb: 'ADD' | 'DEL' | 'CHECK',
  pod: Pick<LabPod, 'name' | 'container' | 'netns'>,
  prevResult?: string,
): Promise<CniAnswer> {
  const config = JSON.stringify({ ...networkConfig, ...(prevResult !== undefined && { prevResult: JSON.parse(prevResult) as unknown }) });
  const env = {
    ...node.env,
    CNI_CONTAINERID: pod.container,
    CNI_NETNS: pod.netns,
    CNI_IFNAME: 'eth0',
    CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=demo;K8S_POD_NAME=${pod.name}`,
  };
  return cni({ verb, env, config });
}

/** Makes a namespace that stands for a container, and adds it to the network. @throws Error with the CNI error when ADD refuses. */
export async function addPod(node: LabNode, name: string, netnsName: string): Promise<LabPod> {
  const netns = createNetns(netnsName);
  const container = `${node.machine.name}-${name}`;
  const answer = await callFor(node, 'ADD', { name, container, netns });
  if (answer.status !== 0) throw new Error(`ADD of ${name} on ${node.machine.name}: ${answer.stdout}${answer.stderr}`);
  const result = JSON.parse(answer.stdout) as { ips: { address: string }[] };
  const addresses = result.ips.map(({ address }) => address.split('/')[0] ?? address);
  return { name, container, netns, node, addresses, result: answer.stdout, added_ms: answer.took_ms };
}

/** Deletes the Pod from the network, then its namespace, as a runtime does. */
export async function deletePod(pod: LabPod): Promise<CniAnswer> {
  const answer = await callFor(pod.node, 'DEL', pod, pod.result);
  deleteNetns(pod.netns.slice(pod.netns.lastIndexOf('/') + 1));
  return answer;
}
