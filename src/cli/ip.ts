/** `flatpod ip`: who has an address on this node, and who had it before. */
import type { AddressReport } from '../agent/address-report.ts';
import { askAgent } from './ask.ts';
import { type Output, table } from './table.ts';

const DEADLINE_ms = 10_000;

/** Prints what is known; 1 when the address is none of this node's and never was. */
export async function showAddress(address: string, { socket, json }: { readonly socket: string; readonly json: boolean }): Promise<number> {
  const report = await askAgent<AddressReport>(socket, 'ip', DEADLINE_ms, address);
  const out = process.stdout;
  if (json) out.write(`${JSON.stringify(report)}\n`);
  else out.write(`${sayAddress(report)}\n\n${formerText(out, [report])}`);
  return report.state === 'notHeld' && report.former.length === 0 ? 1 : 0;
}

/** How things stand with the address on that node, in a sentence. */
export function sayAddress(report: AddressReport): string {
  const { address, node, subnet, nic, block, holder, until_ms, other } = report;
  const place = `NIC ${nic} of node ${node}, block ${block === '' ? 'not granted any more' : block}, PodSubnet ${subnet === '' ? '-' : subnet}`;
  switch (report.state) {
    case 'leased':
      return `${address} is ${holder?.pod ?? 'a container'}'s (container ${holder?.container ?? '?'}, ${holder?.ifname ?? '?'}) since ${at(holder?.since_ms)}: ${place}`;
    case 'orphan':
      return `${address} is in use on node ${node} by a Pod that the agent has no record of; nobody else gets it before that Pod is gone`;
    case 'cooling':
      return `${address} rests until ${at(until_ms)}, so that no connection of its last Pod reaches the next one: ${place}`;
    case 'taken':
      return `${address} rests until ${at(until_ms)}: on the network of ${other?.link ?? '?'} it is in use by ${other?.holder ?? 'somebody else'}: ${place}`;
    case 'free':
      return `${address} is free: ${place}`;
    case 'excluded':
      return `${address} is for no Pod: spec.exclude of PodSubnet ${subnet} names it, or it is the first of an IPv6 prefix: ${place}`;
    case 'claimed':
      return `${address} belongs to an IPClaim, and its Pod is not on node ${node}; no other Pod gets it: ${place}`;
    case 'reclaiming':
      return `${address} is free, and the controller wants it back: ${place}`;
    case 'returned':
      return `${address} was given back by node ${node}, and the controller is about to take it: ${place}`;
    case 'interface':
      return `${address} is the own address of NIC ${nic} of node ${node}; no Pod gets it`;
    case 'gateway':
      return `${address} is the gateway of the subnet of NIC ${nic}; no Pod gets it`;
    case 'notHeld':
      return `${address} is none of node ${node}'s`;
  }
}

/** Who had it before, on these nodes, the latest first. */
export function formerText(output: Output, reports: readonly AddressReport[]): string {
  const rows = reports
    .flatMap(({ node, former }) => former.map((lease) => ({ node, ...lease })))
    .toSorted((a, b) => b.until_ms - a.until_ms)
    .map(({ node, pod, subnet, nic, from_ms, until_ms }) => [pod, node, at(from_ms), at(until_ms), subnet, nic]);
  return table(output, ['HELD BEFORE BY', 'NODE', 'FROM', 'UNTIL', 'PODSUBNET', 'NIC'], rows);
}

/** To the second. */
function at(time_ms: number | undefined): string {
  return time_ms === undefined ? '?' : new Date(time_ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
