/** whereabouts as a peer of ipam-cluster: its executable, run as the kubelets of several nodes would have it run, on the same API server. */
import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { KubeApi } from '../../src/kube/api.ts';
import { addToIp, parseIp } from '../../src/net/address.ts';

/** How many sandboxes a node makes at once, and no more: each of them is a Go program of 50 MB, and all Pods of all nodes at once are more than most machines hold. */
const LANES = 8;
/** After its own limit of two minutes it has given up. */
const LIMIT_ms = 180_000;
const GROUP = 'whereabouts.cni.cncf.io';

/** Where it is: PEERS=all, and BENCH_WHEREABOUTS names the folder that has it. A string says why it is not measured. */
export function whereaboutsExecutable(): { readonly path: string } | string {
  const folder = process.env['BENCH_WHEREABOUTS'];
  if (process.env['PEERS'] !== 'all' || folder === undefined)
    return 'PEERS=all and BENCH_WHEREABOUTS, the folder with its executable, bring it';
  const path = join(folder, 'whereabouts');
  return existsSync(path) ? { path } : `${path} is not there`;
}

/** What became of the Pods of all nodes. */
export interface WhereaboutsBurst {
  /** Milliseconds from the beginning of the burst until each that was served had its address. */
  readonly took: readonly number[];
  readonly addresses: readonly string[];
  readonly wall_ms: number;
  /** Those refused, and the first refusal's words. */
  readonly failed: number;
  readonly words: string;
  /** Whose turn had not come when the time was up. */
  readonly late: number;
}

/** Its two kinds of objects, without their schemas. */
export async function defineWhereabouts(api: KubeApi): Promise<void> {
  const crds = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };
  for (const kind of ['IPPool', 'OverlappingRangeIPReservation']) {
    const [singular, plural] = [kind.toLowerCase(), `${kind.toLowerCase()}s`];
    const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
    const spec = {
      group: GROUP,
      scope: 'Namespaced',
      names: { kind, listKind: `${kind}List`, plural, singular },
      versions: [{ name: 'v1alpha1', served: true, storage: true, schema }],
    };
    const object = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `${plural}.${GROUP}` },
      spec,
    };
    await api.create(crds, object, () => undefined);
  }
}

/** Which Pods, and out of which range. */
export interface WhereaboutsPlan {
  readonly executable: string;
  readonly dir: string;
  readonly kubeconfig: string;
  readonly name: string;
  readonly cidr: string;
  /** First address and how many: all of the block when absent. */
  readonly exactly?: number;
  readonly nodes: readonly string[];
  readonly podsPerNode: number;
  readonly limit_s: number;
}

/** Every Pod of every node. After `limit_s` seconds no further one begins. */
export async function whereaboutsBurst(plan: WhereaboutsPlan): Promise<WhereaboutsBurst> {
  const conf = confOf(plan);
  const began = performance.now();
  const until = began + plan.limit_s * 1000;
  const took: number[] = [];
  const addresses: string[] = [];
  let [failed, late, words] = [0, 0, ''];
  const onNode = async (node: string, left: Iterator<number>): Promise<void> => {
    for (let pod = left.next(); pod.done !== true; pod = left.next()) {
      if (performance.now() > until) {
        late++;
        continue;
      }
      const { address, refusal } = await add(plan, conf, node, pod.value);
      if (address === undefined) {
        failed++;
        words ||= refusal;
        continue;
      }
      took.push(performance.now() - began);
      addresses.push(address);
    }
  };
  await Promise.all(
    plan.nodes.flatMap((node) => {
      const left = Array.from({ length: plan.podsPerNode }, (_, i) => i).values();
      return Array.from({ length: LANES }, () => onNode(node, left));
    }),
  );
  return { took, addresses, wall_ms: performance.now() - began, failed, words, late };
}

function confOf({ dir, kubeconfig, name, cidr, exactly }: WhereaboutsPlan): string {
  const first = addToIp(parseIp(cidr.split('/')[0] ?? ''), 1);
  const bounds = exactly === undefined ? {} : { range_start: first, range_end: addToIp(first, exactly - 1) };
  const own = join(dir, 'whereabouts.conf');
  const more = { kubernetes: { kubeconfig }, log_level: 'error', log_file: join(dir, 'whereabouts.log') };
  writeFileSync(own, JSON.stringify({ datastore: 'kubernetes', ...more }));
  const ipam = { type: 'whereabouts', range: cidr, ...bounds, configuration_path: own, ...more };
  return JSON.stringify({ cniVersion: '1.0.0', name, type: 'macvlan', ipam });
}

async function add(
  { executable, name }: WhereaboutsPlan,
  conf: string,
  node: string,
  pod: number,
): Promise<{ readonly address?: string; readonly refusal: string }> {
  const container = `${name}-${node}-${pod}`;
  const env = {
    PATH: process.env['PATH'],
    NODENAME: node,
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: container,
    CNI_NETNS: `/run/netns/${container}`,
    CNI_IFNAME: 'net1',
    CNI_PATH: '/opt/cni/bin',
    CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${name};K8S_POD_NAME=${node}-${pod}`,
  };
  const running = promisify(execFile)(executable, [], { env, timeout: LIMIT_ms, killSignal: 'SIGKILL' });
  running.child.stdin?.end(conf);
  try {
    const { stdout } = await running;
    const said = JSON.parse(stdout) as { readonly ips?: readonly { readonly address: string }[] }; // a result of CNI 1.0.0
    const address = said.ips?.[0]?.address;
    return { ...(address !== undefined && { address }), refusal: 'a result without an address' };
  } catch (error) {
    const stdout = error instanceof Error && 'stdout' in error ? String(error.stdout) : '';
    return { refusal: stdout.trim() || String(error) };
  }
}
