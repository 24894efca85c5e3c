/** What nodes are told, for people. */
import type { NodeSettings } from './node-network.ts';

/** Each setting in words; none of what is not said. */
export function saySettings({ serviceCidrs = [], mtu, log }: NodeSettings): string[] {
  return [
    ...(serviceCidrs.length === 0 ? [] : [`Services ${serviceCidrs.join(' ')}`]),
    ...(mtu === undefined ? [] : [`MTU at most ${mtu}`]),
    ...(log === undefined ? [] : [`log ${log}`]),
  ];
}
