/** Services of type LoadBalancer as they are run: the command, with the chart's rights, before a real API server and a real Octavia. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { launcher } from '../../src/cli/demo/processes.ts';
import { eventually } from '../cluster/eventually.ts';
import { make } from './client.ts';
import { ended, type KubeBeside, kubeBeside, lacksKube } from './kube-beside.ts';
import { type OctaviaGround, octaviaGround } from './octavia-ground.ts';

const LIMIT_s = 60;
const FINALIZER = 'flatpod.dev/load-balancer';
const PORT = { name: 'web', protocol: 'TCP', port: 8080 } as const;

/** A Service as kubectl shows it. */
interface Shown {
  readonly metadata: {
    readonly finalizers?: readonly string[];
    readonly managedFields?: readonly { readonly manager: string; readonly operation: string; readonly subresource?: string }[];
  };
  readonly status: {
    readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string }[] };
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
  };
}

const service = (name: string, type = 'LoadBalancer'): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'shop' },
  spec: {
    type,
    ...(type === 'LoadBalancer' && { loadBalancerClass: 'flatpod.dev/octavia', allocateLoadBalancerNodePorts: false }),
    ports: [{ name: 'web', port: 80, targetPort: 8080 }],
  },
});
const slice = (of: string, addresses: readonly string[]): object => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: `${of}-1`, namespace: 'shop', labels: { 'kubernetes.io/service-name': of } },
  addressType: 'IPv4',
  endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  ports: [PORT],
});

/** Starts `flatpod controller` as that candidate; what it says is in `file`. */
function controller(name: string, { bed }: OctaviaGround, { dir }: KubeBeside, file: string): ChildProcess {
  const out = openSync(file, 'a');
  // It has the bed's account by its variables, and whoever runs the test has no say.
  const env = { PATH: process.env['PATH'], HOME: dir, POD_NAME: name, ...bed.environment('demo') };
  const argv = ['--pdeathsig', 'KILL', launcher, 'controller', '--config', join(dir, 'controller.yaml')];
  const child = spawn('setpriv', argv, { stdio: ['ignore', out, out], env });
  closeSync(out);
  return child;
}

test('the controller as it is installed gives a Service its load balancer, keeps it true through SIGKILL, and lets the Service go when nothing is left', async (t) => {
  const lacks = lacksKube();
  if (lacks !== undefined) return t.skip(lacks);
  await using ground = await octaviaGround({});
  const loadBalancers = { subnet: ground.subnet };
  await using kube = await kubeBeside({ cluster: 'real', cloud: { type: 'openstack', loadBalancers } });
  // Two subnets in one PodSubnet: Octavia is to be told of each Pod in which of them it is.
  const { id: other } = await make(ground.demo, 'subnet', { network_id: ground.network, ip_version: 4, cidr: '10.21.0.0/24' });
  const spec = { cluster: 'real', cloud: { type: 'openstack', loadBalancers }, kubeconfig: kube.kubeconfig };
  const config = { apiVersion: 'flatpod.dev/v1alpha1', kind: 'ControllerConfig', metadata: { name: 'real' }, spec };
  writeFileSync(join(kube.dir, 'controller.yaml'), JSON.stringify(config));
  const pods = { cloudSubnets: { ids: [ground.subnet, other] }, default: true };
  await kube.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  const file = join(kube.dir, 'controller.log');
  const log = (): string => readFileSync(file, 'utf8');
  const shown = async (name: string): Promise<Shown> =>
    JSON.parse(await kube.kubectl('get', 'service', name, '-n', 'shop', '--show-managed-fields', '-o', 'json')) as Shown; // of that kind
  const conditionOf = async (name: string): Promise<string> =>
    JSON.stringify((await shown(name)).status.conditions?.find(({ type }) => type === 'flatpod.dev/LoadBalancerReady') ?? {});
  const list = async (path: string): Promise<Record<string, string>[]> => {
    const answer = await ground.balancers('GET', `/${path}`);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body[path.replace(/^.*\//, '')];
  };
  /** `ADDRESS in SUBNET` of each member of the only pool. */
  const members = async (): Promise<string[]> => {
    const [pool, ...more] = await list('pools');
    assert.deepEqual(more, []);
    return (await list(`pools/${pool?.['id']}/members`)).map((one) => `${one['address']} in ${one['subnet_id']}`).toSorted();
  };
  const untilMembers = (wanted: readonly string[]): Promise<void> =>
    eventually('the Pods are members', async () => assert.deepEqual(await members(), wanted), LIMIT_s);

  let running = controller('one', ground, kube, file);
  try {
    await kube.apply(slice('web', ['10.20.0.10', '10.21.0.10']), service('web'));
    const address = await eventually(
      'the Service has an address',
      async () => (await shown('web')).status.loadBalancer?.ingress?.[0]?.ip ?? assert.fail(`${await conditionOf('web')}\n${log()}`),
      LIMIT_s,
    );
    assert.deepEqual(
      (await list('loadbalancers')).map((one) => [one['name'], one['vip_address']]),
      [['real/shop/web', address]],
    );
    // Nobody knows yet where these addresses are.
    await untilMembers(['10.20.0.10 in null', '10.21.0.10 in null']);
    await kube.apply({ apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name: 'pods' }, spec: pods });
    await untilMembers([`10.20.0.10 in ${ground.subnet}`, `10.21.0.10 in ${other}`]);
    await eventually('its condition says so', async () => assert.match(await conditionOf('web'), /"status":"True"/), LIMIT_s);
    const { metadata } = await shown('web');
    assert.deepEqual(metadata.finalizers, [FINALIZER]);
    // The status is ours by server-side apply, and by nothing else: so it can be taken back field by field.
    const ours = metadata.managedFields?.filter(({ manager, subresource }) => manager === 'flatpod-controller' && subresource === 'status');
    assert.deepEqual(
      ours?.map(({ operation }) => operation),
      ['Apply'],
    );
    const events = (): Promise<string> => kube.kubectl('get', 'events', '-n', 'shop', '-o', 'jsonpath={.items[*].reason}');
    await eventually('an event says so', async () => assert.match(await events(), /LoadBalancerReady/), LIMIT_s);

    // Killed while Octavia is at work; what changes then, whoever leads next finds.
    ground.octavia.setDelay(8);
    await kube.apply(slice('web', ['10.20.0.10', '10.20.0.11']));
    await eventually(
      'Octavia is at work',
      async () => assert.equal((await list('loadbalancers'))[0]?.['provisioning_status'], 'PENDING_UPDATE'),
      LIMIT_s,
    );
    await ended(running);
    await kube.apply(slice('web', ['10.21.0.12']));
    ground.octavia.setDelay(0);
    running = controller('two', ground, kube, file);
    // Asked of Neutron, Nova and Octavia, about the PodSubnets that there are when it begins to lead.
    await eventually('the account was asked about', () => assert.match(log(), /the account may do all that is needed/), LIMIT_s);
    await untilMembers([`10.21.0.12 in ${other}`]);
    assert.deepEqual(
      (await list('loadbalancers')).map((one) => one['vip_address']),
      [address],
    );

    // One that goes on without a load balancer: what others wrote into its status stays.
    await kube.apply(service('plain'));
    await eventually('it has an address', async () => assert.ok((await shown('plain')).status.loadBalancer?.ingress?.[0]), LIMIT_s);
    const theirs = [{ type: 'example.com/Seen', status: 'True', reason: 'Seen', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }];
    const patch = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'plain', namespace: 'shop' }, status: { conditions: theirs } };
    const patchFile = join(kube.dir, 'theirs.json');
    writeFileSync(patchFile, JSON.stringify(patch));
    await kube.kubectl('apply', '--server-side', '--field-manager=example', '--subresource=status', '-f', patchFile);
    const toPlain = { spec: { type: 'ClusterIP', loadBalancerClass: null, allocateLoadBalancerNodePorts: null } };
    await kube.kubectl('patch', 'service', 'plain', '-n', 'shop', '--type=merge', '-p', JSON.stringify(toPlain));
    await eventually('its finalizer is gone', async () => assert.equal((await shown('plain')).metadata.finalizers, undefined), LIMIT_s);
    const { status } = await shown('plain');
    assert.deepEqual([status.loadBalancer, status.conditions?.map(({ type }) => type)], [{}, ['example.com/Seen']]);

    // It stays until Octavia has nothing of it any more.
    await kube.kubectl('delete', 'service', 'web', '-n', 'shop', '--wait=false');
    const left = (): Promise<string> => kube.kubectl('get', 'services', '-n', 'shop', '-o', 'name');
    await eventually('the Service is gone', async () => assert.equal(await left(), 'service/plain\n'), LIMIT_s);
    assert.deepEqual(await ground.left(), []);
    // Nothing that was refused was only tried again in silence.
    assert.doesNotMatch(log(), /forbidden|is not served/i);
  } catch (error) {
    throw new Error(`the controller said:\n${log().slice(-4000)}`, { cause: error });
  } finally {
    await ended(running);
  }
});
