/** `kubectl flatpod status`: subnets, nodes, and what will run out first. */
import { type Output, styled, table } from '../table.ts';
import { type ClusterReport, clusterReport } from './cluster-report.ts';
import { openKubectl } from './kubectl.ts';
import { readAgents, readClaims, readLease, readNetworks, readSubnets } from './read.ts';
import type { CommonOptions } from './target.ts';
import { ago, count, some } from './words.ts';

/** Prints the report; 1 when Pods wait for addresses that cannot come, or nobody leads. */
export async function showCluster(options: CommonOptions): Promise<number> {
  const kubectl = openKubectl(options);
  const [subnets, networks, claims, lease, agents] = await Promise.all([
    readSubnets(kubectl),
    readNetworks(kubectl),
    readClaims(kubectl),
    readLease(kubectl),
    readAgents(kubectl),
  ]);
  const now_ms = Date.now();
  const unreadable = [subnets, networks, claims].flatMap((found) => found.unreadable);
  const report = clusterReport({
    subnets: subnets.items,
    networks: networks.items,
    claims: claims.items,
    lease,
    agents,
    unreadable,
    now_ms,
  });
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : clusterText(process.stdout, report, now_ms));
  return report.controller?.alive === true && report.pressure.every(({ level }) => level !== 'short') ? 0 : 1;
}

/** The report as tables. */
export function clusterText(out: Output, report: ClusterReport, now_ms: number): string {
  const { controller, subnets, nodes, claims, pressure, unreadable } = report;
  const leads =
    controller === null
      ? styled(out, 'red', 'none leads: nothing grows until one does')
      : `${controller.holder} leads, term ${controller.term}, seen ${ago(controller.renewed_ms ?? undefined, now_ms)} ago${controller.alive ? '' : styled(out, 'red', ' (silent)')}`;
  const held = claims.Bound + claims.Reserved + claims.Moving + claims.Releasing;
  return [
    `${styled(out, 'bold', 'CONTROLLER')}  ${leads}\n`,
    table(
      out,
      ['PODSUBNET', 'CLOUD SUBNET', 'CIDR', ...numbers, 'CLOUD FREE', 'PER NODE', 'PER CLUSTER', 'NODES', 'STOPPED'],
      subnets.map((one) => subnetCells(out, one)),
    ),
    table(
      out,
      ['NODE', 'INSTANCE', 'NICS', ...numbers, 'AGENT', 'STOPPED'],
      nodes.map((one) => nodeCells(out, one)),
    ),
    `${styled(out, 'bold', 'IPCLAIMS')}  ${claims.claims}, with ${count(held, 'address')}: ${claims.Bound} bound, ${claims.Reserved} reserved, ${claims.Moving} moving, ${claims.Releasing} releasing\n`,
    `${styled(out, 'bold', 'PRESSURE')}\n${pressure.map(({ level, text }) => `${styled(out, colours[level], level.padEnd(5))}  ${text}\n`).join('') || 'no node holds any address yet\n'}`,
    ...(unreadable.length === 0 ? [] : [`${styled(out, 'red', 'LEFT OUT')}\n${unreadable.map((text) => `${text}\n`).join('')}`]),
  ].join('\n');
}

const numbers = ['HELD', 'CLAIMED', 'IN USE', 'COOLING', 'FREE', 'WAITING'] as const;
const colours = { short: 'red', soon: 'yellow', fine: 'green' } as const;

type Numbers = Pick<ClusterReport['nodes'][number], 'held' | 'claimed' | 'inUse' | 'cooling' | 'free' | 'waiting'>;

function numberCells({ held, claimed, inUse, cooling, free, waiting }: Numbers): string[] {
  return [held, claimed, inUse, cooling, free, waiting].map(String);
}

function subnetCells(out: Output, one: ClusterReport['subnets'][number]): string[] {
  const stopped =
    one.stopped.length === 0
      ? ''
      : styled(
          out,
          'yellow',
          `on ${some(
            one.stopped.map(({ node, by }) => `${node} (${by})`),
            3,
          )}`,
        );
  const problem = one.problem === '' ? '' : styled(out, 'red', one.problem);
  return [
    one.default ? `${one.name} (default)` : one.name,
    one.cloudSubnet,
    one.cidrs.join(' ') || '-',
    ...numberCells(one),
    String(one.cloudFree ?? '-'),
    String(one.perNode),
    String(one.perCluster ?? '-'),
    String(one.nodes),
    [problem, stopped].filter((text) => text !== '').join('; ') || '-',
  ];
}

function nodeCells(out: Output, one: ClusterReport['nodes'][number]): string[] {
  const words = [
    ...(one.problem === '' ? [] : [styled(out, 'red', one.problem)]),
    ...(one.draining ? [styled(out, 'yellow', 'draining')] : []),
    ...one.stopped.map(({ subnet, text }) => styled(out, 'yellow', `${subnet}: ${text}`)),
  ];
  const agent = one.agent === '' ? '-' : styled(out, one.agent === 'ready' ? 'green' : 'red', one.agent);
  return [one.name, one.instance || '-', String(one.nics), ...numberCells(one), agent, words.join('; ') || '-'];
}
