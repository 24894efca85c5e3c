/** `kubectl flatpod pod`: every object behind a Pod, from the cloud's address to the state of the kernel. */
import type { PodReport } from '../../agent/pod-report.ts';
import { readNamespace } from '../../store/kubernetes/core-objects.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import { attachmentText, isWhole } from '../pod.ts';
import { type Output, styled, table } from '../table.ts';
import { askNode } from './ask-node.ts';
import type { PodView } from './core.ts';
import { type Kubectl, openKubectl } from './kubectl.ts';
import { readNodeNetwork } from '../../store/kubernetes/stored-node-network.ts';
import { type PodObjects, type PodStack, podStack } from './pod-view.ts';
import { readAgents, readClaims, readServiceAccountOf, readSubnets } from './read.ts';
import { findPod, type PodOptions } from './target.ts';

/** Prints all there is; 1 when something is missing that should be there. */
export async function showPodStack(asked: string, options: PodOptions): Promise<number> {
  const kubectl = openKubectl(options);
  const stack = podStack(await objectsOf(kubectl, await findPod(kubectl, asked, options)));
  process.stdout.write(options.json ? `${JSON.stringify(stack)}\n` : stackText(process.stdout, stack));
  const granted = stack.cloud.length > 0 && stack.cloud.every(({ nic }) => nic !== '');
  const inKernel = stack.attachments.length > 0 && stack.attachments.every(isWhole);
  return stack.pod.hostNetwork || (granted && inKernel) ? 0 : 1;
}

async function objectsOf(kubectl: Kubectl, pod: PodView): Promise<PodObjects> {
  const { namespace, name, node } = pod;
  const [itsNamespace, serviceAccount, subnets, network, claims, agent] = await Promise.all([
    kubectl.get({ ...resources.namespaces, name: namespace }, readNamespace),
    readServiceAccountOf(kubectl, pod),
    readSubnets(kubectl),
    node === undefined ? undefined : kubectl.get({ ...resources.nodeNetworks, name: node }, readNodeNetwork),
    readClaims(kubectl, namespace),
    node === undefined || pod.hostNetwork ? undefined : askAgentOf(kubectl, node, `${namespace}/${name}`),
  ]);
  const nobody = { problem: pod.hostNetwork ? 'a Pod on the network of its node has nothing of its own there' : 'the Pod is on no node' };
  return { pod, namespace: itsNamespace, serviceAccount, subnets: subnets.items, network, claims: claims.items, agent: agent ?? nobody };
}

async function askAgentOf(kubectl: Kubectl, node: string, pod: string): Promise<PodObjects['agent']> {
  const [agent] = (await readAgents(kubectl, node)) ?? [];
  return await askNode<PodReport>(kubectl, node, agent, 'pod', pod);
}

/** The stack as text, from the top to the bottom. */
function stackText(out: Output, { pod, subnet, cloud, claims, attachments, agentProblem }: PodStack): string {
  const title = (text: string): string => styled(out, 'bold', text);
  const own = pod.hostNetwork ? `${pod.ips.join(', ')} (its node's: hostNetwork)` : pod.ips.join(', ') || styled(out, 'yellow', 'none');
  const rows = cloud.map((one) => [
    one.address,
    one.nic === '' ? styled(out, 'red', 'not granted') : one.block,
    one.nic || '-',
    one.nic === '' ? '-' : String(one.deviceIndex),
    one.mac || '-',
    one.instance || '-',
    one.claimed ? 'yes' : '-',
  ]);
  return [
    `${title('POD')}  ${pod.namespace}/${pod.name}, uid ${pod.uid}, ${pod.phase}, node ${pod.node || 'none'}, addresses ${own}\n`,
    ...(subnet.name === '' ? [] : [`${title('PODSUBNET')}  ${subnet.name} (cloud subnet ${subnet.cloudSubnet || '?'}): ${subnet.why}\n`]),
    table(out, ['CLOUD ADDRESS', 'BLOCK', 'NIC', 'DEVICE', 'MAC', 'INSTANCE', 'CLAIMED'], rows),
    ...claims.map(
      (one) => `${title('IPCLAIM')}  ${one.name}: ${one.address} ${one.phase}, node ${one.node || 'none'}, reclaim ${one.reclaim}\n`,
    ),
    ...attachments.map((one) => `${title('AGENT')}\n${attachmentText(out, one)}`),
    ...(agentProblem === '' ? [] : [`${title('AGENT')}  ${styled(out, 'yellow', agentProblem)}\n`]),
    ...(agentProblem === '' && attachments.length === 0
      ? [`${title('AGENT')}  ${styled(out, 'yellow', 'it has nothing for this Pod')}\n`]
      : []),
  ].join('\n');
}
