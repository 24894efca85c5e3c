/** Mistakes that no field has by itself: two objects, or two fields of one, that do not go together. */
import type { Key } from './config-problem.ts';
import type { NodeConfig } from './node-config.ts';
import type { PodSubnet } from './pod-subnet.ts';

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
  const { priorityToPod, priorityMark, priorityFromPod, markMask, snatMark, linkPrefix } = config.spec.numbers;
  const clashes: Clash<NodeConfig>[] = [];
  const say = (key: string, what: string, remedy: string) => clashes.push({ object: config, path: ['spec', 'numbers', key], what, remedy });
  if (priorityMark <= priorityToPod) {
    say(
      'priorityMark',
      `${priorityMark} must be above priorityToPod, which is ${priorityToPod}`,
      'traffic to a Pod is decided before marks',
    );
  }
  if (priorityFromPod <= priorityMark) {
    say(
      'priorityFromPod',
      `${priorityFromPod} must be above priorityMark, which is ${priorityMark}`,
      'a mark is decided before the sender',
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

/** Counts and families of one subnet. */
export function checkSubnet(subnet: PodSubnet): Clash<PodSubnet>[] {
  const { warm, perNode, families, unit } = subnet.spec;
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
  return clashes;
}

/** What only one subnet may have: its name, being the default, a namespace. The second one is at fault. */
export function checkTogether(subnets: readonly PodSubnet[]): Clash<PodSubnet>[] {
  const clashes: Clash<PodSubnet>[] = [];
  const owners = new Map<string, string>();
  const claim = (object: PodSubnet, path: readonly Key[], thing: string, remedy: string) => {
    const [owner, name] = [owners.get(thing), object.metadata.name];
    if (owner === undefined) owners.set(thing, name);
    else
      clashes.push({
        object,
        path,
        what: owner === name ? `${thing} is given twice` : `${thing} is taken by PodSubnet ${owner}`,
        remedy,
      });
  };
  for (const subnet of subnets) {
    const { metadata, spec } = subnet;
    claim(subnet, ['metadata', 'name'], `the name ${metadata.name}`, 'give each PodSubnet a name of its own');
    if (spec.default)
      claim(subnet, ['spec', 'default'], 'being the default', 'only one PodSubnet may serve the Pods that no other one names');
    for (const [i, namespace] of spec.namespaces.entries()) {
      claim(
        subnet,
        ['spec', 'namespaces', i],
        `the namespace ${namespace}`,
        'a namespace belongs to one PodSubnet: remove it here or there',
      );
    }
  }
  return clashes;
}
