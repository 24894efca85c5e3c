/** `flatpod controller` as it is installed: a process of its own, which can be killed, and the next one that goes on. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launcher } from '../../src/cli/demo/processes.ts';
import type { KubeApi } from '../../src/kube/api.ts';
import { holderOf, parseLease } from '../../src/kube/lease.ts';
import { eventually } from '../life/lab.ts';
import { ended, type KubeBeside } from '../openstack/kube-beside.ts';
import type { Configured } from './fronts.ts';

const LEASE = {
  group: 'coordination.k8s.io',
  version: 'v1',
  resource: 'leases',
  namespace: 'kube-system',
  name: 'flatpod-controller',
} as const;

/** Another one may lead nine seconds after a death, and everything else on the machine may want its processors. */
const LIMIT_s = 60;

/** See the head of this file. */
export interface Processes extends AsyncDisposable {
  /** What all of them said. */
  log(): string;
  /** How often one was killed. */
  readonly kills: () => number;
  /**
   * SIGKILL to the one that leads; resolves when it is no more and another one may lead, before which `meanwhile` is done. The first time its Lease runs
   * out by itself; later, since nothing of a dead process reaches anybody, it is handed over at once.
   */
  kill(meanwhile?: () => Promise<void>): Promise<void>;
}

/** One that leads, and one that stands by. `root`: the API server as its administrator. */
export function processes({ dir, kubeconfig }: KubeBeside, root: KubeApi, cluster: string, { cloud, env: account }: Configured): Processes {
  const file = join(dir, 'controller.log');
  const config = { apiVersion: 'flatpod.dev/v1alpha1', kind: 'ControllerConfig', metadata: { name: cluster } };
  writeFileSync(join(dir, 'controller.yaml'), JSON.stringify({ ...config, spec: { cluster, cloud, kubeconfig } }));
  const running = new Map<string, ChildProcess>();
  let [started, kills, isOver] = [0, 0, false];
  const start = (): void => {
    const out = openSync(file, 'a');
    const name = `controller-${++started}`;
    // The account is that of the cloud's server, and whoever runs the test has no say.
    const env = { PATH: process.env['PATH'], HOME: dir, POD_NAME: name, ...account };
    const argv = ['--pdeathsig', 'KILL', launcher, 'controller', '--config', join(dir, 'controller.yaml')];
    running.set(name, spawn('setpriv', argv, { stdio: ['ignore', out, out], env }));
    closeSync(out);
  };
  start();
  start();
  return {
    log: () => readFileSync(file, 'utf8'),
    kills: () => kills,
    async kill(meanwhile) {
      const [leader, child] = await eventually(
        'one of ours leads',
        async () => {
          // A process's own end stands behind its name.
          const name = holderOf(await root.get(LEASE, parseLease))?.replace(/_.*/, '') ?? '';
          return [name, running.get(name) ?? assert.fail(`${name} leads`)] as const;
        },
        LIMIT_s,
      );
      await ended(child);
      running.delete(leader);
      kills++;
      await meanwhile?.();
      if (isOver) return;
      start();
      const body = { spec: { holderIdentity: null, leaseDurationSeconds: 1 } };
      if (kills > 1) await root.patch(LEASE, { kind: 'merge', body }, () => undefined);
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      await Promise.all([...running.values()].map(ended));
    },
  };
}
