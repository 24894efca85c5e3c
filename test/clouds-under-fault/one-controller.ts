/** One controller as it is installed, before a cloud's server and a real API server; its record is kept by a proxy. Nobody is killed. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { launcher } from '../../src/cli/demo/processes.ts';
import { accessOf } from '../../src/cli/kube-access.ts';
import { openApi } from '../../src/kube/api.ts';
import { createLog } from '../../src/log.ts';
import { type FaultProxy, faultProxy } from '../cloud/fault-proxy.ts';
import { type Agent, agent, subnet } from '../controller/harness.ts';
import { ended, type KubeBeside, kubeBeside } from '../openstack/kube-beside.ts';
import type { Configured, Kind, Site } from './fronts.ts';
import { networksOf, storedNetworks } from './kube-networks.ts';

/** Its name in the tags. */
export const CLUSTER = 'alone';
const execute = promisify(execFile);

/** See the head of this file. */
export interface OneController extends AsyncDisposable {
  readonly proxy: FaultProxy;
  readonly site: Site;
  /** What all controllers said. */
  log(): string;
  /** Ends the one that runs, if any, and starts another; `more`: of spec.cloud. */
  start(more?: object): Promise<void>;
  /** Runs `flatpod ARGUMENTS --config FILE` with the configuration of the controller that was started last, to its end; what it printed. */
  run(...argv: readonly string[]): Promise<string>;
  /** The PodSubnet is made. */
  apply(): Promise<void>;
  /** A machine with an agent. */
  add(name: string): Promise<Agent>;
  /** Why the node does not grow, in the words of its object. */
  growth(name: string): Promise<string>;
  /** Blocks that the node is asked to give back. */
  askedBack(name: string): Promise<readonly string[]>;
}

/** No PodSubnet, no node, and no controller yet; about ten seconds. */
export async function oneController(kind: Kind): Promise<OneController> {
  await using building = new AsyncDisposableStack();
  const site = building.use(await kind.open(Date.now, 'small'));
  const proxy = building.use(await faultProxy(site.server, kind.dialect));
  const kube = building.use(await kubeBeside({ cluster: CLUSTER, cloud: { type: 'vpc', endpoint: 'http://127.0.0.1:1' } }));
  const root = building.adopt(openApi(accessOf(kube.rootConfig), { userAgent: 'test/1' }), (api) => api.close());
  const spec = { cloudSubnet: site.subnet, default: true, warm: { spare: 1 } };
  const config = subnet('pods', spec);
  const quiet = createLog('test', 'error', () => undefined);
  const log = join(kube.dir, 'controller.log');
  let running: ChildProcess | undefined;
  building.defer(async () => {
    if (running !== undefined) await ended(running);
  });
  const status = async (name: string) => (await storedNetworks(root)).find((one) => one.name === name)?.status;
  const owned = building.move();
  return {
    proxy,
    site,
    log: () => (existsSync(log) ? readFileSync(log, 'utf8') : ''),
    async start(more = {}) {
      if (running !== undefined) {
        // It gives its Lease back.
        const gone = once(running, 'exit');
        running.kill('SIGTERM');
        await gone;
      }
      const { cloud, env } = site.configured(proxy.url);
      running = started(kube, log, { cloud: { ...cloud, ...more }, env });
    },
    async run(...argv) {
      const { env } = site.configured(proxy.url);
      const room = { env: { PATH: process.env['PATH'], HOME: kube.dir, ...env } };
      return (await execute(launcher, [...argv, '--config', join(kube.dir, 'controller.yaml')], room)).stdout;
    },
    async apply() {
      const { apiVersion, kind: objectKind, metadata } = config;
      await kube.apply({ apiVersion, kind: objectKind, metadata, spec });
    },
    async add(name) {
      const instance = await site.launch(name);
      await kube.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: { providerID: `any:///zone/${instance}` } });
      const networks = owned.adopt(networksOf(root, name, quiet), (one) => one.stop());
      return owned.adopt(await agent(networks, instance, config, name), (it) => it.stop());
    },
    growth: async (name) => (await status(name))?.growth.map(({ stoppedBy, text }) => `${stoppedBy}: ${text}`).join('\n') ?? '',
    askedBack: async (name) => (await status(name))?.nics.flatMap(({ reclaiming }) => reclaiming) ?? [],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Ends with this process, however that ends. */
function started({ dir, kubeconfig }: KubeBeside, log: string, { cloud, env: account }: Configured): ChildProcess {
  const file = join(dir, 'controller.yaml');
  const config = { apiVersion: 'flatpod.dev/v1alpha1', kind: 'ControllerConfig', metadata: { name: CLUSTER } };
  writeFileSync(file, JSON.stringify({ ...config, spec: { cluster: CLUSTER, cloud, kubeconfig } }));
  const out = openSync(log, 'a');
  // The account is that of the cloud's server, and whoever runs the test has no say.
  const env = { PATH: process.env['PATH'], HOME: dir, POD_NAME: 'controller', ...account };
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', launcher, 'controller', '--config', file], { stdio: ['ignore', out, out], env });
  closeSync(out);
  return child;
}
