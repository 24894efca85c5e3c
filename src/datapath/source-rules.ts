/** Several interfaces in one Pod: what leaves with an interface's address leaves by that interface, whatever leads elsewhere. */
import { inNetns, type KernelObject } from '../kernel/state.ts';
import { type Family, familiesIn, familyOf } from '../net/address.ts';
import { hostCidr } from '../net/cidr.ts';
import { routesToNode } from './service-veth.ts';
import type { PodInterface } from './interface.ts';
import { routesOut } from './routed-veth.ts';
import { waysOut } from './underlay.ts';

/** Rules and a table for this interface, and for those beside it that have none of their own. Pure. */
export function sourceRules(pod: PodInterface): KernelObject[] {
  const besides = (pod.besides ?? []).flatMap(rulesOf);
  return [...rulesOf(pod), ...besides.map((object) => (object.kind === 'route' ? { ...object, optional: true as const } : object))];
}

function rulesOf(pod: PodInterface): KernelObject[] {
  const { source, netns, protocol } = pod;
  if (source === undefined) return [];
  const { table, priority } = source;
  const families = familiesIn(pod.addresses);
  return [
    ...families.flatMap((family) => waysOf(pod, family, table)),
    ...pod.addresses.map((address): KernelObject => {
      return { kind: 'rule', where: inNetns(netns), family: familyOf(address), priority, from: hostCidr(address), table, protocol };
    }),
  ];
}

function waysOf(pod: PodInterface, family: Family, table: number): KernelObject[] {
  return pod.datapath === 'routed-veth'
    ? routesOut(pod, family, table)
    : [...routesToNode(pod, family, table), ...waysOut(pod, family, table)];
}
