/**
 * `flatpod demo`: the product's main job, shown. A VPC with two subnets, three nodes, a plain VM, an internet host; a dozen Pods added by the real
 * executable; who reaches whom, as whom; then all is deleted, and nothing may be left.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { failure } from '../../errors/failure.ts';
import { deleteNetns, NAMED } from '../../kernel/netns.ts';
import { cleanVpc } from '../../vpc/clean.ts';
import { vpcApi } from './api.ts';
import type { DemoCloud } from './clouds.ts';
import { buildLab } from './lab.ts';
import { type Datapath, datapaths, perform, PROTOCOL } from './perform.ts';
import { killLeftovers, launcher, start } from './processes.ts';
import { step } from './progress.ts';
import { printReport, type Report } from './report.ts';

/** Name of the VPC; its namespaces are called `fpdemo-…`. */
export const VPC = 'fpdemo';
/** Of Pods' namespaces. Not the VPC's own prefix: it takes away names of its own that stand for nothing, as one does that is just being made. */
export const PODS = 'fpdemopod-';
/** For its files. */
export const DIR = '/run/flatpod-demo';
const URL = `unix:${DIR}/vpc.sock`;

/** How the demo is to run; see `flatpod demo --help`. */
export interface DemoOptions {
  readonly keep: boolean;
  readonly clean: boolean;
  readonly json: boolean;
  readonly datapath: Datapath;
  readonly cloud: DemoCloud;
}

/** The smallest instances that have room for four Pods: the first interface serves Pods by routed-veth and ipvlan alone, and a trunk takes another one's place. */
const instanceTypes: Record<Datapath, string> = {
  'routed-veth': 'v1.small',
  macvlan: 'v1.large',
  nic: 'v1.xlarge',
  ipvlan: 'v1.small',
  branch: 'v1.large',
};

/** @throws Failure badOption. */
export function tryDatapath(text: string): Datapath {
  const found = datapaths.find((one) => one === text);
  if (found === undefined)
    throw failure('badOption', { option: '--datapath', value: text, remedy: `write one of ${datapaths.join(', ')}` });
  return found;
}

/** Runs the demo; 1 when a cell of the matrix, a CHECK or the clean-up is wrong. */
export async function runDemo({ keep, clean, json, datapath, cloud }: DemoOptions): Promise<number> {
  removeAll();
  if (clean) return 0;
  // The way to another cloud's API ends with this process.
  if (keep && cloud.ports.length > 0) throw failure('badOption', { option: '--keep', value: 'true', remedy: 'leave out --cloud with it' });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      removeAll();
      process.exit(1);
    });
  }
  let kept = false;
  try {
    const report = await play(keep, datapath, cloud);
    printReport(report, json);
    kept = keep;
    if (keep) process.stderr.write(whatToTry());
    return report.failures.length === 0 ? 0 : 1;
  } finally {
    if (!kept) removeAll();
  }
}

async function play(keep: boolean, datapath: Datapath, cloud: DemoCloud): Promise<Report> {
  mkdirSync(DIR, { recursive: true, mode: 0o700 });
  await using running = new AsyncDisposableStack();
  const vpc = step('emulated VPC');
  const vpcProcess = await start(DIR, {
    name: 'vpc',
    args: ['vpc', '--name', VPC, '--listen', URL, '--state', join(DIR, 'vpc'), ...cloud.vpc],
    ready: `${DIR}/vpc.sock`,
  });
  if (!keep) running.defer(() => vpcProcess.stop());
  using api = vpcApi(URL);
  const type = instanceTypes[datapath];
  const lab = await buildLab(api, {
    subnets: { a: { cidr4: '10.20.0.0/24' }, b: { cidr4: '10.20.1.0/24' } },
    machines: {
      'node-1': { subnet: 'a', type },
      'node-2': { subnet: 'a', type },
      'node-3': { subnet: 'b', type },
      vm: { subnet: 'b' },
    },
    internet: ['web'],
    opensDefault: cloud.ports.length > 0,
  });
  vpc.done('2 subnets, 3 nodes, a plain VM, an internet host');

  const stage = { dir: DIR, podsPrefix: PODS, api, lab, cloud: { ...cloud, spec: cloud.spec(URL) } };
  return await perform(running, stage, { keep, datapath });
}

/** Removes everything that has the demo's name, whoever left it: processes, namespaces, files. */
export function removeAll(): void {
  killLeftovers(DIR);
  for (const name of existsSync(NAMED) ? readdirSync(NAMED) : []) if (name.startsWith(PODS)) deleteNetns(name);
  cleanVpc(VPC);
  rmSync(DIR, { recursive: true, force: true });
}

function whatToTry(): string {
  return `
The demo is still running. Try, for instance:
  ip netns list | grep ${VPC}
  ip -n ${VPC}-node-1 rule ; ip -n ${VPC}-node-1 route show table all proto ${PROTOCOL}
  ip netns exec ${VPC}-node-1 nft list table inet flatpod
  ip netns exec ${PODS}node-1-1 ping -c1 10.20.1.1
  ${launcher} status --socket ${DIR}/node-1/cni.sock
  ${launcher} check --socket ${DIR}/node-1/cni.sock
  curl --unix-socket ${DIR}/vpc.sock http://vpc/v1/drops
make demo-clean removes it.
`;
}
