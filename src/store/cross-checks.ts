/** Mistakes that no field has by itself: two objects, or two fields of one, that do not go together. */
import { addressedOtherwise } from './addressing.ts';
import { checkRange } from './check-range.ts';
import type { Key } from './config-problem.ts';
import type { NodeConfig } from './node-config.ts';
import type { PodSubnet } from './pod-subnet.ts';
import { takenBefore } from './within.ts';

/** A mistake at a field of one of the objects. */
export interface Clash<T> {
  readonly object: T;
  readonly path: readonly Key[];
  readonly what: string;
  readonly remedy: string;
}

/** Bits that tell 15 interfaces apart, as many as an instance may have. */
const LEAST_MARK_BITS = 4;
/** How systemd, the kernel and cloud images name interfaces (systemd.net-naming-scheme(7)). */
const interfacePrefixes = ['eth', 'en', 'ib', 'sl', 'wl', 'ww', 'lo', 'bond', 'team', 'br'];

/** Numbers that must keep an order, and marks and names that must keep apart. */
export function checkNumbers(config: NodeConfig): Clash<NodeConfig>[] {
  const { priorityToPod, priorityMark, priorityToServiceVeth, priorityFromPod, markMask, snatMark, linkPrefix } = config.spec.numbers;
  const clashes: Clash<NodeConfig>[] = [];
  const say = (key: string, what: string, remedy: string) => clashes.push({ object: config, path: ['spec', 'numbers', key], what, remedy });
  if (priorityMark <= priorityToPod) {
    say(
      'priorityMark',
      `${priorityMark} must be above priorityToPod, which is ${priorityToPod}`,
      'traffic to a Pod is decided before marks',
    );
  }
  if (priorityToServiceVeth <= priorityMark) {
    say(
      'priorityToServiceVeth',
      `${priorityToServiceVeth} must be above priorityMark, which is ${priorityMark}`,
      'a mark is decided before the way by the service veth',
    );
  }
  if (priorityFromPod <= priorityToServiceVeth) {
    say(
      'priorityFromPod',
      `${priorityFromPod} must be above priorityToServiceVeth, which is ${priorityToServiceVeth}`,
      'the destination is decided before the sender',
    );
  }
  const bits = markMask.toString(2).replaceAll('0', '').length;
  if (bits < LEAST_MARK_BITS) {
    say('markMask', `0x${markMask.toString(16)} has ${bits} bits, ${LEAST_MARK_BITS} are the least`, 'an instance may have 15 interfaces');
  }
  if (interfacePrefixes.some((one) => one.startsWith(linkPrefix) || linkPrefix.startsWith(one)))
    say(
      'linkPrefix',
      `names of real interfaces begin with "${linkPrefix}", and would be taken for Pods`,
      'choose other letters, or leave it out',
    );
  // Unsigned: JavaScript's & would make a mask of 32 bits negative.
  const shared = (markMask & snatMark) >>> 0;
  if (shared !== 0) {
    say(
      'snatMark',
      `0x${snatMark.toString(16)} shares the bits 0x${shared.toString(16)} with markMask 0x${markMask.toString(16)}`,
      'choose bits that are not in the mask',
    );
  }
  return clashes;
}

/** Counts, families and users of one subnet. The rules of its CRD (pod-subnet.ts) say the same. */
export function checkSubnet(subnet: PodSubnet): Clash<PodSubnet>[] {
  const { warm, perNode, perCluster, families, unit, datapath } = subnet.spec;
  const clashes: Clash<PodSubnet>[] = [];
  const say = (path: readonly Key[], what: string, remedy: string) =>
    clashes.push({ object: subnet, path: ['spec', ...path], what, remedy });
  for (const key of ['minimum', 'spare'] as const) {
    if (warm[key] <= perNode.maximum) continue;
    say(['warm', key], `${warm[key]} is more than perNode.maximum, which is ${perNode.maximum}`, `lower it, or raise perNode.maximum`);
  }
  if (new Set(families).size < families.length) say(['families'], 'names a family twice', 'write [4], [6] or [4, 6]');
  if (unit === 'prefix' && families.includes(4) && perNode.maximum < 16) {
    say(
      ['perNode', 'maximum'],
      `${perNode.maximum} leaves no room for a /28 prefix, which has 16 addresses`,
      'raise it to 16 or more, or write unit: address',
    );
  }
  if (perCluster.maximum !== undefined && perCluster.maximum < perNode.maximum) {
    say(
      ['perCluster', 'maximum'],
      `${perCluster.maximum} is less than perNode.maximum, which is ${perNode.maximum}`,
      'raise it, or lower perNode.maximum',
    );
  }
  if (perNode.interfaces !== undefined && (datapath === 'nic' || datapath === 'branch')) {
    say(
      ['perNode', 'interfaces'],
      `does not go with datapath ${datapath}: each Pod has an interface of the cloud for itself`,
      'write perNode.maximum',
    );
  }
  const { addressing = 'blocks' } = subnet.spec;
  if (addressing !== 'blocks' && (unit === 'prefix' || subnet.spec.range !== undefined)) {
    say(['addressing'], `${addressing} goes with single addresses of a subnet of the cloud`, 'leave it out, or write unit: address');
  }
  if (addressing !== 'blocks' && subnet.spec.cloudSubnets?.tags !== undefined)
    say(['addressing'], `${addressing} is of OpenStack, whose subnets are not found by tags`, 'write cloudSubnets.ids, or leave it out');
  return [...clashes, ...checkDatapath(subnet), ...checkRange(subnet), ...checkAssignable(subnet), ...checkWithin(subnet)];
}

/** Blocks are of a subnet of the cloud, and bound the addresses that are chosen there. */
function checkWithin(subnet: PodSubnet): Clash<PodSubnet>[] {
  const { within, cloudSubnet, families, datapath } = subnet.spec;
  if (within === undefined) return [];
  const say = (what: string, remedy: string): Clash<PodSubnet> => ({ object: subnet, path: ['spec', 'within'], what, remedy });
  return [
    ...(cloudSubnet === undefined ? [say('goes with a subnet of the cloud', 'write range.ipv4.first and last')] : []),
    ...(families.includes(4) ? [] : [say('bounds IPv4 addresses, which this subnet does not give', 'leave it out')]),
    ...(datapath === 'nic' || datapath === 'branch'
      ? [say(`does not go with datapath ${datapath}: the cloud chooses the addresses of interfaces`, 'leave it out')]
      : []),
  ];
}

/** Which datapath each mode belongs to. */
const modeOf = {
  l2: 'ipvlan',
  l3: 'ipvlan',
  l3s: 'ipvlan',
  bridge: 'macvlan',
  private: 'macvlan',
  vepa: 'macvlan',
  passthru: 'macvlan',
} as const;

function checkDatapath(subnet: PodSubnet): Clash<PodSubnet>[] {
  const { datapath, mode, fallback, unit } = subnet.spec;
  const clash = (key: string, what: string, remedy: string): Clash<PodSubnet> => ({ object: subnet, path: ['spec', key], what, remedy });
  const isChild = datapath === 'ipvlan' || datapath === 'macvlan';
  return [
    ...(mode !== undefined && modeOf[mode] !== datapath
      ? [
          clash(
            'mode',
            `${mode} is no mode of datapath ${datapath}`,
            'write l2, l3 or l3s with ipvlan; bridge, private, vepa or passthru with macvlan',
          ),
        ]
      : []),
    ...(fallback !== undefined && (!isChild || fallback === datapath)
      ? [
          clash(
            'fallback',
            `${fallback} cannot stand in for datapath ${datapath}`,
            'write another datapath, for ipvlan or macvlan; or leave it out',
          ),
        ]
      : []),
    ...(unit === 'prefix' && (datapath === 'nic' || datapath === 'branch')
      ? [clash('unit', `prefix does not go with datapath ${datapath}: each Pod has an interface of the cloud for itself`, 'leave it out')]
      : []),
  ];
}

/** A subnet that is assigned serves nobody else. */
function checkAssignable(subnet: PodSubnet): Clash<PodSubnet>[] {
  const { assignable, default: isDefault, namespaces, namespaceSelector, podSelector, serviceAccountSelector } = subnet.spec;
  if (!assignable) return [];
  const others = { default: isDefault, namespaces: namespaces.length > 0, namespaceSelector, podSelector, serviceAccountSelector };
  return Object.entries(others).flatMap(([key, given]) => {
    if (given === false || given === undefined) return [];
    const what = 'does not go with assignable: only namespaces that the subnet is assigned to use it';
    return [{ object: subnet, path: ['spec', key], what, remedy: 'remove it, or assignable' }];
  });
}

/** What PodSubnets of one file may not have: a name or a namespace twice, and fields that nobody outside of a cluster could heed. */
export function checkTogether(subnets: readonly PodSubnet[]): Clash<PodSubnet>[] {
  const names = new Set<string>();
  return subnets.flatMap((subnet, i) => {
    const { name } = subnet.metadata;
    const twice = names.has(name);
    names.add(name);
    const clash = { path: ['metadata', 'name'], what: `the name ${name} is given twice`, remedy: 'give each PodSubnet a name of its own' };
    return [
      ...(twice ? [{ object: subnet, ...clash }] : []),
      ...namespacesTwice(subnet),
      ...blocksTwice(subnet, subnets.slice(0, i)),
      ...otherAddressing(subnet, subnets.slice(0, i)),
      ...forClusters(subnet),
    ];
  });
}

function blocksTwice(object: PodSubnet, earlier: readonly PodSubnet[]): Clash<PodSubnet>[] {
  const what = takenBefore(object, earlier);
  return what === undefined ? [] : [{ object, path: ['spec', 'within'], what, remedy: 'give each block to one PodSubnet' }];
}

function otherAddressing(object: PodSubnet, earlier: readonly PodSubnet[]): Clash<PodSubnet>[] {
  const what = addressedOtherwise(object, earlier);
  return what === undefined ? [] : [{ object, path: ['spec', 'addressing'], what, remedy: 'write the same in both' }];
}

function namespacesTwice(subnet: PodSubnet): Clash<PodSubnet>[] {
  const { namespaces } = subnet.spec;
  return namespaces.flatMap((namespace, i) => {
    if (namespaces.indexOf(namespace) === i) return [];
    return [
      {
        object: subnet,
        path: ['spec', 'namespaces', i],
        what: `the namespace ${namespace} stands here twice`,
        remedy: 'remove one of them',
      },
    ];
  });
}

/** Labels, annotations and other nodes: a standalone agent knows none of them. */
function forClusters(subnet: PodSubnet): Clash<PodSubnet>[] {
  const { assignable, perCluster, namespaceSelector, podSelector, serviceAccountSelector, nodeSelector, nodeAnnotationSelector } =
    subnet.spec;
  const labels = 'remove it: a standalone agent knows no labels; namespaces can be named';
  const remedies = {
    ...(namespaceSelector && { namespaceSelector: labels }),
    ...(podSelector && { podSelector: labels }),
    ...(serviceAccountSelector && { serviceAccountSelector: labels }),
    ...(nodeSelector && { nodeSelector: 'remove it: a standalone agent serves its own node' }),
    ...(nodeAnnotationSelector && { nodeAnnotationSelector: 'remove it: a standalone agent serves its own node' }),
    ...(assignable && { assignable: 'remove it: a standalone agent sees no annotations; namespaces can be named' }),
    ...(perCluster.maximum !== undefined && { perCluster: 'write perNode: a standalone agent knows no other nodes' }),
  };
  return Object.entries(remedies).map(([key, remedy]) => ({
    object: subnet,
    path: ['spec', key],
    what: 'works in a cluster only',
    remedy,
  }));
}

/** PodSubnets in the file of a node of a cluster: nobody would read them. */
export function inFileOfCluster(subnets: readonly PodSubnet[]): Clash<PodSubnet>[] {
  const what = 'is not read from the file of a node of a cluster';
  return subnets.map((object) => ({
    object,
    path: ['kind'],
    what,
    remedy: 'kubectl apply it: PodSubnets are objects of the API server there',
  }));
}
