/** `flatpod status`: node, NICs, pools, Pods. */
import type { NodeReport } from '../agent/status-report.ts';
import { saySettings } from '../store/say-settings.ts';
import { askAgent } from './ask.ts';
import { styled, table } from './table.ts';

const DEADLINE_ms = 10_000;

/** Prints the report; 1 when the node cannot serve ADD. */
export async function showStatus({ socket, json }: { readonly socket: string; readonly json: boolean }): Promise<number> {
  const report = await askAgent<NodeReport>(socket, 'report', DEADLINE_ms);
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : textOf(report));
  return report.ready ? 0 : 1;
}

function textOf(report: NodeReport): string {
  const out = process.stdout;
  const state = report.ready ? styled(out, 'green', 'ready') : styled(out, 'red', `not ready: ${report.reason}`);
  const nics = report.nics.map((nic) => [
    placeOf(nic),
    String(nic.deviceIndex),
    nic.id,
    nic.subnet || '-',
    nic.mac,
    nic.address,
    String(nic.blocks),
  ]);
  const pools = report.pools.map((pool) => [
    pool.subnet,
    ...[pool.inUse, pool.cooling, pool.free, pool.held, pool.waiting].map(String),
    pool.stopped === '' ? 'yes' : styled(out, 'yellow', pool.stopped),
  ]);
  const pods = report.pods.map((pod) => [pod.pod, pod.addresses.join(' '), pod.ifname, pod.link, pod.subnet, stateOf(pod)]);
  return [
    `${styled(out, 'bold', 'NODE')}  ${report.node}  ${state}  (agent ${report.rss_mib} MiB)\n${toldOf(report)}`,
    table(out, ['NIC', 'DEVICE', 'ID', 'PODSUBNET', 'MAC', 'ADDRESS', 'BLOCKS'], nics),
    table(out, ['POOL', 'IN USE', 'COOLING', 'FREE', 'HELD', 'WAITING', 'CAN GROW'], pools),
    table(out, ['POD', 'ADDRESSES', 'INTERFACE', 'HOST END', 'PODSUBNET', 'STATE'], pods),
  ].join('\n');
}

function toldOf({ settings = {} }: NodeReport): string {
  const told = saySettings(settings).join(', ');
  return told === '' ? '' : `${styled(process.stdout, 'bold', 'TOLD')}  ${told}\n`;
}

function stateOf({ alive, state, lost }: NodeReport['pods'][number]): string {
  if (!alive) return styled(process.stdout, 'yellow', 'namespace gone');
  return lost === '' ? state : styled(process.stdout, 'yellow', lost);
}

function placeOf({ link, place }: NodeReport['nics'][number]): string {
  if (place === 'node') return link;
  const where = link === '' ? place : `${link} (${place === 'Pod' ? 'in a Pod' : place})`;
  return place === 'gone' ? styled(process.stdout, 'yellow', where) : where;
}
