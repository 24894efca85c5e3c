/** An interface that a former plugin made: what of it the host should hold while the Pod lives, which is what was found when it was taken over. */
import { host, inNetns, type KernelObject, type Plan } from '../kernel/state.ts';
import type { AdoptedInterface } from './interface.ts';

/** Nothing in the Pod but that its interface is up: what else is there, the former plugin knew. Pure. */
export function adopted(attached: AdoptedInterface): Plan {
  const { netns, ifname, hostEnd, routes, rules } = attached;
  const inPod: KernelObject[] = netns === '' ? [] : [{ kind: 'link', where: inNetns(netns), name: ifname }];
  const link: KernelObject[] = hostEnd === undefined ? [] : [{ kind: 'link', where: host, name: hostEnd.link, mac: hostEnd.mac }];
  return [
    ...inPod,
    ...link,
    ...routes.map((route): KernelObject => ({ kind: 'route', where: host, ...route })),
    ...rules.map((rule): KernelObject => ({ kind: 'rule', where: host, ...rule })),
    ...toAdopted(attached),
  ];
}

/** What of that is ours: the way to it from Pods that are made here. Pure. */
export function toAdopted({ ways }: AdoptedInterface): Plan {
  return ways.map((way): KernelObject => ({ kind: 'route', where: host, ...way }));
}
