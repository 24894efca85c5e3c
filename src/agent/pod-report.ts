/** What `flatpod pod` shows, as data: everything that stands behind a Pod on this node, from the cloud's interface to each object in the kernel. */
import { planOf } from '../datapath/datapath.ts';
import type { NamedNic } from '../datapath/host-table.ts';
import { isMade } from '../datapath/interface.ts';
import { nicPlan } from '../datapath/nic.ts';
import { isFailure, sentence } from '../errors/failure.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { describe, type KernelObject, nameOf, type Plan } from '../kernel/state.ts';
import { contains } from '../net/cidr.ts';
import { hostEndOf, isAlive } from './adopted/standing.ts';
import { podName } from './attach.ts';
import type { Attachment, NodeAgent } from './node-agent.ts';

/** A container may be asked for by the beginning of its id, of at least this length. */
const SHORTEST_ID = 6;

/** The answer; every field is plain JSON. */
export interface PodReport {
  readonly node: string;
  /** None: Flatpod gave nothing to such a Pod on this node. */
  readonly attachments: readonly AttachmentReport[];
}

/** One interface of the Pod. */
export interface AttachmentReport {
  readonly pod: string;
  readonly uid: string;
  readonly container: string;
  readonly ifname: string;
  /** Name of the CNI network. */
  readonly network: string;
  /** Path of the network namespace, and whether there still is one. */
  readonly netns: string;
  readonly alive: boolean;
  /** `opening`: the answer to ADD is not out yet. */
  readonly state: 'opening' | 'ready';
  /** Milliseconds since the epoch. */
  readonly since_ms: number;
  readonly subnet: string;
  readonly datapath: string;
  /** Empty, as are MTU (0) and link, of an interface that another main plugin made. */
  readonly mac: string;
  readonly mtu: number;
  /** The node's end. */
  readonly link: string;
  /** Each with the block of the grant it is of; empty: the node is not granted it any more. */
  readonly addresses: readonly { readonly address: string; readonly block: string }[];
  /** `link` is empty while it is not plugged in. */
  readonly nic: { readonly id: string; readonly deviceIndex: number; readonly mac: string; readonly link: string };
  readonly objects: readonly ObjectReport[];
}

/** One object that should be in the kernel. */
export interface ObjectReport {
  /** What it is there for: this Pod alone, all Pods behind the interface, all Pods of the node. */
  readonly of: 'pod' | 'interface' | 'node';
  /** `host`, or the path of the namespace. */
  readonly where: string;
  /** In the words of ip(8). */
  readonly object: string;
  /** `unknown`: the namespace cannot be opened. */
  readonly state: 'present' | 'missing' | 'changed' | 'foreign' | 'unknown';
  /** What is there instead, or why it is not known; empty when present. */
  readonly problem: string;
}

/** Of the Pod `namespace/name`, a Pod of that name, or a container by its id or the beginning of it. Reads the kernel, changes nothing. */
export function podReport(node: NodeAgent, asked: string): PodReport {
  const found = node.attachments.list().filter((attachment) => isAsked(attachment, asked));
  return { node: node.cloud?.name ?? '(no configuration)', attachments: found.map((attachment) => reportOne(node, attachment)) };
}

function isAsked(attachment: Attachment, asked: string): boolean {
  const { container, pod } = attachment;
  return (
    podName(attachment) === asked ||
    pod.name === asked ||
    container === asked ||
    (asked.length >= SHORTEST_ID && container.startsWith(asked))
  );
}

function reportOne(node: NodeAgent, attachment: Attachment): AttachmentReport {
  const { container, ifname, network, netns, state, subnet, created_ms, interface: own } = attachment;
  const granted = node.cloud?.grants.status?.nics.find(({ id }) => id === attachment.nic);
  const named = node.cloud?.grants.nics.find(({ nic }) => nic.id === attachment.nic);
  return {
    pod: podName(attachment),
    uid: attachment.pod.uid ?? '',
    container,
    ifname,
    network,
    netns,
    alive: isAlive(node, attachment),
    state,
    subnet,
    since_ms: created_ms,
    datapath: own.datapath,
    ...(isMade(own) ? { mac: own.mac, mtu: own.mtu, link: own.hostEnd } : { mac: '', mtu: 0, link: hostEndOf(own) }),
    addresses: own.addresses.map((address) => ({ address, block: granted?.blocks.find((block) => contains(block, address)) ?? '' })),
    nic: { id: attachment.nic, deviceIndex: granted?.deviceIndex ?? -1, mac: granted?.mac ?? '', link: named?.link ?? '' },
    objects: [
      ...compared(node.kernel, planOf(own), 'pod'),
      ...(named === undefined ? [] : compared(node.kernel, planOfNic(node, named), 'interface')),
      ...compared(node.kernel, planOfAll(node), 'node'),
    ],
  };
}

function planOfNic({ cloud }: NodeAgent, { nic, link }: NamedNic): Plan {
  return cloud === undefined ? [] : nicPlan(nic, link, cloud.config.numbers);
}

/** What of the node's plan no single NIC is the reason for. */
function planOfAll(node: NodeAgent): Plan {
  const { nics = [], plan = [] } = node.cloud?.grants ?? {};
  const ofNics = new Set(nics.flatMap((named) => planOfNic(node, named)).map(keyOf));
  return plan.filter((object) => !ofNics.has(keyOf(object)));
}

/** Each object of the plan with what CHECK would say about it. A namespace that is gone hides what was in it, and nothing else. */
function compared(kernel: Kernel, plan: Plan, of: ObjectReport['of']): ObjectReport[] {
  const places = [...new Set(plan.map(({ where }) => nameOf(where)))];
  const results = new Map(
    kernel
      .compareAll(places.map((place) => plan.filter(({ where }) => nameOf(where) === place)))
      .map((result, i) => [places[i] ?? '', result] as const),
  );
  return plan.map((object) => {
    const where = nameOf(object.where);
    const result = results.get(where) ?? [];
    const facts = { of, where, object: describe(object) };
    if (isFailure(result)) return { ...facts, state: 'unknown', problem: sentence(result) };
    const difference = result.find((one) => one.object === object);
    return difference === undefined
      ? { ...facts, state: 'present', problem: '' }
      : { ...facts, state: difference.kind, problem: difference.problem };
  });
}

function keyOf(object: KernelObject): string {
  return JSON.stringify(object);
}
