/** `flatpod unowned`: the interfaces in the cloud that nobody owns, and what the controller's sweep makes of each. Changes nothing. */
import { systemClock } from '../cloud/clock.ts';
import type { InstanceId } from '../cloud/cloud.ts';
import { Ledger } from '../cloud/range/ledger.ts';
import { rangeCloud } from '../cloud/range/range-cloud.ts';
import { type Speaking, type Unowned, unowned } from '../controller/sweeper.ts';
import { usualTimings } from '../controller/world.ts';
import { failure } from '../errors/failure.ts';
import { openApi } from '../kube/api.ts';
import { readControllerConfigFile } from '../store/config-file.ts';
import type { ControllerConfig } from '../store/controller-config.ts';
import { resources } from '../store/kubernetes/resources.ts';
import { readNodeNetwork } from '../store/kubernetes/stored-node-network.ts';
import type { NodeNetwork } from '../store/node-network.ts';
import { cloudOf } from './cloud.ts';
import { accessOf } from './kube-access.ts';
import { type Output, table } from './table.ts';

/** Options of `flatpod unowned`, as typed. */
export interface UnownedArguments {
  readonly config: string;
  readonly json: boolean;
}

/** What the sweep does with one: it is deleted when two looks, a minute apart, find it so; it is too young yet; or a switch keeps it. */
export type Fate = 'deleted' | 'tooYoung' | 'kept';

/** One of them, as it is printed. */
export interface UnownedReport {
  readonly interface: string;
  readonly node?: string;
  readonly why: string;
  readonly age_s: number;
  readonly addresses: number;
  readonly sweep: Fate;
}

/** Prints them, the oldest first. @throws Failure config*, kube*, cloud* */
export async function showUnowned({ config: file, json }: UnownedArguments): Promise<number> {
  const { spec: config } = readControllerConfigFile(file);
  const found = await find(config);
  const reports = found.toSorted((a, b) => b.age_ms - a.age_ms).map((one) => reportOf(one, config.cloud));
  process.stdout.write(json ? `${JSON.stringify({ unowned: reports })}\n` : textOf(process.stdout, reports));
  return 0;
}

async function find(config: ControllerConfig['spec']): Promise<Unowned[]> {
  using open = new DisposableStack();
  const api = open.adopt(openApi(accessOf(config.kubeconfig), { userAgent: 'flatpod-unowned/0.1' }), (one) => one.close());
  const { cluster } = config;
  // Ranges have no interfaces that could be left.
  const nowhere = (): Promise<never> => Promise.reject(failure('cloudChangesStopped', { cloud: 'range', call: 'a ledger’s' }));
  const ledger = await Ledger.open({ list: async () => [], read: nowhere, write: nowhere });
  const ranges = rangeCloud({ cluster, ledger, ranges: () => [], node: () => undefined });
  const use = { subnets: () => [], fence: <T>(driver: T): T => driver, fenceSteps: <T>(part: T): T => part };
  const cloud = open.use(cloudOf({ ...config.cloud, changes: false }, ranges, use));
  const list = async (): Promise<Speaking[]> =>
    (await api.list(resources.nodeNetworks, readNodeNetwork)).items.map(({ name, status = nothing, instance = '' }) => ({
      name,
      status,
      // What the controller wrote there as the cloud's id.
      spec: { instance: instance as InstanceId },
    }));
  return await unowned({ cloud, cluster, networks: { list }, clock: systemClock });
}

/** Of a node that the controller has not spoken to. */
const nothing: NodeNetwork['status'] = { vpcCidrs: [], nics: [], growth: [] };

/** @param cloud the switches of the configuration */
export function reportOf(
  { nic, node, isNodeThere, age_ms }: Unowned,
  cloud: Pick<ControllerConfig['spec']['cloud'], 'changes' | 'releases'>,
): UnownedReport {
  const why =
    node === undefined ? 'no node is named in its tags' : isNodeThere ? `node ${node} has no use for it` : `there is no node ${node}`;
  const isYoung = age_ms < usualTimings.sweepAge_ms;
  const sweep = !(cloud.changes && cloud.releases) ? 'kept' : isYoung ? 'tooYoung' : 'deleted';
  return {
    interface: nic.id,
    ...(node !== undefined && { node }),
    why,
    age_s: Math.round(age_ms / 1000),
    addresses: nic.blocks.length,
    sweep,
  };
}

const fates: Readonly<Record<Fate, string>> = {
  deleted: 'deletes it, when two looks a minute apart find it so',
  tooYoung: `leaves it until it is ${usualTimings.sweepAge_ms / 60_000} minutes old`,
  kept: 'leaves it: spec.cloud.releases or spec.cloud.changes is false',
};

function textOf(out: Output, reports: readonly UnownedReport[]): string {
  const rows = reports.map((one) => [one.interface, String(one.addresses), `${one.age_s} s`, one.why, fates[one.sweep]]);
  return table(out, ['INTERFACE', 'BLOCKS', 'AGE', 'WHY', 'THE SWEEP'], rows);
}
