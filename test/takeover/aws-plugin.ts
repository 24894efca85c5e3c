/** The AWS plugin itself, where somebody gives its two programs (FLATPOD_PEER_AWS_CNI names their folder): its daemon on a node of the scene, and its ADD and DEL. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { openNetns } from '../../src/kernel/netns.ts';
import { listenAt } from '../../src/kernel/sockets.ts';
import { parseIp } from '../../src/net/address.ts';
import { key } from '../ec2/bed.ts';
import { eventually } from '../life/lab.ts';
import type { Container, Machine, Scene } from './scene.ts';
import { hasEnded } from '../../src/cli/demo/processes.ts';

/** Where daemon and plugin look for each other: compiled in, so there is one such daemon on a machine. */
const MEETING = '/var/run/aws-node';
const KUBE_PORT = 6443;
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

const folder = process.env['FLATPOD_PEER_AWS_CNI'];
/** Why what needs it does not run; false: it does. */
export const absent =
  folder === undefined
    ? "FLATPOD_PEER_AWS_CNI names no folder with the AWS plugin's aws-cni and aws-k8s-agent"
    : (['aws-cni', 'aws-k8s-agent'].map((name) => join(folder, name)).find((path) => !existsSync(path)) ?? false);

/** The plugin at work on one node. */
export interface AwsPlugin extends AsyncDisposable {
  /** Its daemon's record of Pods. */
  readonly checkpoint: string;
  /** ADD for a Pod; its address. */
  add(of: Container, name: string): Promise<string>;
  /** Ends the daemon, as when its Pod leaves the node. */
  stop(): Promise<void>;
}

/** Starts its daemon, and waits until it serves. */
export async function awsPlugin(
  scene: Scene,
  machine: Machine,
  dir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<AwsPlugin> {
  assert.ok(folder !== undefined);
  assert.ok(!existsSync(MEETING), `${MEETING} is there: another daemon runs, or left it`);
  await using open = new AsyncDisposableStack();
  mkdirSync(MEETING, { recursive: true });
  open.defer(() => rmSync(MEETING, { recursive: true, force: true }));
  const [checkpoint, kubeconfig] = [join(dir, 'ipam.json'), join(dir, 'kubeconfig')];
  open.use(await emptyCluster(machine));
  writeFileSync(kubeconfig, kubeconfigText);
  const log = openSync(join(dir, 'ipamd.log'), 'a');
  const daemon = spawn('nsenter', [`--net=${machine.netns}`, join(folder, 'aws-k8s-agent')], {
    stdio: ['ignore', log, log],
    env: {
      PATH,
      HOME: '/root',
      AWS_REGION: 'eu-west-1',
      AWS_ENDPOINT_URL: scene.bed.url,
      AWS_ACCESS_KEY_ID: key.id,
      AWS_SECRET_ACCESS_KEY: key.secret,
      KUBECONFIG: kubeconfig,
      MY_NODE_NAME: 'node',
      MY_POD_NAME: 'aws-node-test',
      CLUSTER_NAME: 'test',
      ENABLE_IPv4: 'true',
      ENABLE_IPv6: 'false',
      DISABLE_METRICS: 'true',
      DISABLE_INTROSPECTION: 'true',
      AWS_VPC_ENI_MTU: '1500',
      AWS_VPC_K8S_CNI_LOG_FILE: join(dir, 'ipamd-own.log'),
      AWS_VPC_K8S_CNI_LOGLEVEL: 'DEBUG',
      AWS_VPC_K8S_CNI_BACKING_STORE: checkpoint,
      ...env,
    },
  });
  open.defer(() => ended(daemon));
  await eventually('the daemon of the AWS plugin serves', () => existsSync(join(MEETING, 'ipamd.sock')), 60);
  const all = open.move();
  return {
    checkpoint,
    add: (of, name) => addBy(join(folder, 'aws-cni'), machine, of, name),
    stop: () => ended(daemon),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function addBy(program: string, machine: Machine, { id, netns }: Container, name: string): Promise<string> {
  const config = { cniVersion: '0.4.0', name: 'aws-cni', type: 'aws-cni', vethPrefix: 'eni', mtu: '1500', podSGEnforcingMode: 'strict' };
  const env = {
    PATH,
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: id,
    CNI_NETNS: netns,
    CNI_IFNAME: 'eth0',
    CNI_PATH: '/opt/cni/bin',
    CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${name};K8S_POD_INFRA_CONTAINER_ID=${id}`,
  };
  // Not synchronously: the daemon asks EC2 and the metadata meanwhile, which are in this process.
  const { promise, resolve } = Promise.withResolvers<string>();
  const child = execFile('nsenter', [`--net=${machine.netns}`, program], { env, timeout: 30_000 }, (_error, stdout, stderr) =>
    resolve(stdout + stderr),
  );
  child.stdin?.end(JSON.stringify({ ...config, pluginLogFile: '/dev/null' }));
  const answer = await promise;
  const [, address] = /"address": "([0-9.]+)\/32"/.exec(answer) ?? [];
  assert.ok(address !== undefined, answer);
  return address;
}

async function ended(daemon: ChildProcess): Promise<void> {
  if (hasEnded(daemon)) return;
  const gone = new Promise((resolve) => daemon.once('exit', resolve));
  daemon.kill('SIGKILL');
  await gone;
}

/** An API server that knows nothing, on the node's loopback: after half a minute the daemon goes on without. */
async function emptyCluster({ netns: path }: Machine): Promise<AsyncDisposable> {
  using netns = openNetns(path);
  const server = createServer((_request, response) => {
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 }));
  });
  await listenAt(netns, parseIp('127.0.0.1'), KUBE_PORT, server);
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const kubeconfigText = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: 'http://127.0.0.1:${KUBE_PORT}'}}]
users: [{name: u, user: {}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`;
