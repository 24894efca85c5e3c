/** The API server and etcd of the simulated cluster, as the tests on a cluster start them, and what the API server was asked by the controller. */
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type KubeApi, openApi } from '../../src/kube/api.ts';
import { accessFromKubeconfig } from '../../src/kube/kubeconfig.ts';
import { startPart } from '../../test/cluster/control-plane.ts';
import { type Machine, machine } from '../../test/cluster/machine.ts';
import { makePki } from '../../test/cluster/pki.ts';
import { eventually } from '../../test/life/lab.ts';
import { programs } from '../../test/programs.ts';

const root = resolve(import.meta.dirname, '../..');
/** Whom the controller is to the API server: unlike its administrators, one whose calls are shared out and counted. */
const CONTROLLER = 'kube-controller-manager';

/** A control plane without kubelets. */
export interface ControlPlane extends AsyncDisposable {
  readonly machine: Machine;
  /** The administrator's connections. */
  readonly apis: readonly KubeApi[];
  /** For the controller. */
  readonly kubeconfig: string;
  /** For an administrator, whose calls are not counted. */
  readonly adminKubeconfig: string;
  /** The controller's calls so far, by verb and resource. Reads what came since the last time. */
  calls(): ReadonlyMap<string, number>;
}

/** Starts it in the network namespace that this process is in, whose address it gets. */
export async function controlPlane(dir: string, netns: string, address: string): Promise<ControlPlane> {
  await using undo = new AsyncDisposableStack();
  const pki = makePki({ dir: join(dir, 'pki'), api: address, service: '10.96.0.1', nodes: [] });
  const on = machine({ name: 'cp', netns, dir: join(dir, 'cp'), nameserver: address });
  undo.defer(() => on.powerOff());
  await on.powerOn();
  const audit = audited(dir);
  const plan = { machine: withMore(on, audit.flags), address, pki, serviceCidr: '10.96.0.0/16', podCidr: '10.20.0.0/16' };
  await startPart(plan, 'etcd');
  const apis = Array.from({ length: 4 }, () => openApi(accessFromKubeconfig(pki.kubeconfig('admin')), { userAgent: 'flatpod-bench/0.1' }));
  undo.defer(() => apis.forEach((api) => api.close()));
  const namespace = { group: '', version: 'v1', resource: 'namespaces', name: 'kube-system' };
  const server = await startPart(plan, 'kube-apiserver');
  const isThere = (): Promise<boolean> => apis[0]?.get(namespace, () => true, { deadline_ms: 1000 }) ?? Promise.resolve(false);
  await eventually('the API server is there', isThere, 90).catch((cause: unknown) => {
    throw new Error(`the API server does not answer: ${server.log().slice(-2000)}`, { cause });
  });
  const kubectl = async (...args: readonly string[]): Promise<void> => {
    const ended = await on.run([programs.kube('kubectl'), `--kubeconfig=${pki.kubeconfig('admin')}`, ...args]);
    if (ended.status !== 0) throw new Error(`kubectl ${args.join(' ')}: ${ended.stderr}`);
  };
  await kubectl('apply', '--server-side', '-f', join(root, 'deploy/crds'));
  for (const kind of ['podsubnets', 'nodenetworks', 'ipclaims', 'addressledgers'])
    await kubectl('wait', '--for=condition=Established', `crd/${kind}.flatpod.dev`);
  // Watches of a new kind are refused for a moment: its cache is being filled.
  const nodeNetworks = { group: 'flatpod.dev', version: 'v1alpha1', resource: 'nodenetworks' };
  await eventually(
    'NodeNetworks are served',
    async () => (await apis[0]?.list(nodeNetworks, () => true, { notOlderThan: '0' })) !== undefined,
    30,
  );
  await kubectl('create', 'clusterrolebinding', 'bench', '--clusterrole=cluster-admin', `--user=system:${CONTROLLER}`);
  const all = undo.move();
  return {
    machine: on,
    apis,
    kubeconfig: pki.kubeconfig(CONTROLLER),
    adminKubeconfig: pki.kubeconfig('admin'),
    calls: () => audit.calls(),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** The same machine, whose API server gets further arguments. */
function withMore(on: Machine, flags: readonly string[]): Machine {
  // Its getters must stay alive.
  return Object.assign(Object.create(on) as Machine, {
    start: (name: string, command: readonly string[], path?: string) =>
      on.start(name, name === 'kube-apiserver' ? [...command, ...flags] : command, path),
  });
}

/** Every call of the controller is a line of the API server's audit log; a watch is counted when it begins. */
function audited(dir: string) {
  const [policy, log] = [join(dir, 'audit.json'), join(dir, 'audit.log')];
  writeFileSync(log, '');
  const rules = [{ level: 'Metadata', users: [`system:${CONTROLLER}`] }];
  writeFileSync(policy, JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'], rules }));
  const calls = new Map<string, number>();
  let read = 0;
  let rest = '';
  const count = (line: string): void => {
    // The API server's own word (audit.k8s.io/v1, Event).
    const {
      verb,
      stage,
      objectRef: of,
    } = JSON.parse(line) as {
      readonly verb: string;
      readonly stage: string;
      readonly objectRef?: { readonly resource: string; readonly subresource?: string };
    };
    if ((verb === 'watch') !== (stage === 'ResponseStarted')) return;
    const name = `${verb} ${of?.resource ?? '-'}${of?.subresource === undefined ? '' : `/${of.subresource}`}`;
    calls.set(name, (calls.get(name) ?? 0) + 1);
  };
  return {
    flags: [`--audit-policy-file=${policy}`, `--audit-log-path=${log}`, '--audit-log-maxsize=10000'],
    calls(): ReadonlyMap<string, number> {
      const file = openSync(log, 'r');
      const buffer = Buffer.alloc(1 << 20);
      for (let got = readSync(file, buffer, 0, buffer.length, read); got > 0; got = readSync(file, buffer, 0, buffer.length, read)) {
        read += got;
        const lines = `${rest}${buffer.toString('utf8', 0, got)}`.split('\n');
        rest = lines.pop() ?? '';
        lines.forEach(count);
      }
      closeSync(file);
      return new Map(calls);
    },
  };
}
