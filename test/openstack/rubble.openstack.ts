/**
 * The session of rubble's README, with Flatpod in rubble's place: docs/migrate/rubble.md, "As in rubble's README", step by step. One program a node, with
 * `OS_*` and a kubeconfig; cnitool; Pods by ipvlan in mode l2 on a second interface; addresses that stay the Pods' on any node.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { launcher } from '../../src/cli/demo/processes.ts';
import { builtKernel } from '../guest/kernels.ts';
import { eventually } from '../life/lab.ts';
import { programs } from '../programs.ts';
import { inside } from '../vpc/site.ts';
import { make } from './client.ts';
import type { RubbleNode } from './rubble-node.ts';
import { type RubbleSite, rubbleSite } from './rubble-site.ts';

const fixed = { 'flatpod.dev/ip': 'fixed' };
const ANNOTATION = 'rubble.kubernetes.io/ip_address';
const SERVICE = '10.96.0.80';
const run = promisify(execFile);

/** A Pod with an address that rubble gave it, and what of Kubernetes it belongs to. */
interface Former {
  readonly name: string;
  readonly address: string;
  readonly owner?: object;
}

const db: Former = {
  name: 'db-0',
  address: '10.30.0.21',
  owner: { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'c0ffee00-0000-4000-8000-000000000001', controller: true },
};
const gateway: Former = { name: 'gateway', address: '10.30.0.40' };

/** Creates the Pod as the API server knows it. */
async function createPod({ api }: RubbleSite, name: string, node: string, annotations: object = {}, owner?: object): Promise<void> {
  const metadata = { name, namespace: 'shop', annotations, ...(owner !== undefined && { ownerReferences: [owner] }) };
  const spec = { nodeName: node, terminationGracePeriodSeconds: 0, containers: [{ name: 'c', image: 'localhost/none' }] };
  await api.ask('POST', '/api/v1/namespaces/shop/pods', { apiVersion: 'v1', kind: 'Pod', metadata, spec });
}

/** No kubelet has to agree to it. */
const endPod = (site: RubbleSite, name: string): Promise<string> =>
  site.kubectl('delete', 'pod', name, '-n', 'shop', '--grace-period=0', '--force');

const openstack = async (site: RubbleSite, ...args: string[]): Promise<string> =>
  (await run('openstack', args, { env: { PATH: process.env['PATH'], HOME: site.dir, ...site.bed.environment('demo') } })).stdout;

/** rubble's ports and Pods as they were, and its files; then what its README does not tell: the import. Returns the folder with what came of it. */
async function moveIn(site: RubbleSite): Promise<string> {
  const { dir } = site;
  const file = (name: string, content: object | string): void =>
    writeFileSync(join(dir, name), typeof content === 'string' ? content : JSON.stringify(content));
  for (const { name, address, owner } of [db, gateway]) {
    const fixed_ips = [{ subnet_id: site.subnet, ip_address: address }];
    await make(site.demo, 'port', { network_id: site.network, device_owner: 'network:secondary', fixed_ips, name: `rubble-${name}` });
    await createPod(site, name, 'node-1', { [ANNOTATION]: address }, owner);
    await site.api.ask('PATCH', `/api/v1/namespaces/shop/pods/${name}/status`, {
      status: { phase: 'Running', podIP: address, podIPs: [{ ip: address }] },
    });
  }
  file('rubble.json', {
    subnet_id: site.subnet,
    net_id: site.network,
    service_cidr: '10.96.0.0/16',
    min_pool_size: 1,
    kubeconfig: site.kubeconfig,
    auth_url: site.bed.authUrl,
    password: 'not-to-be-seen',
  });
  file('10-rubble.conf', { cniVersion: '0.3.1', name: 'rubble', type: 'rubble', master: 'eth1', mode: 'l2' });
  file('pods.json', await site.kubectl('get', 'pods', '-A', '-o', 'json'));
  file('ports.json', await openstack(site, ...'port list --device-owner network:secondary --long -f json'.split(' ')));
  const files = ['rubble.json', '10-rubble.conf', 'pods.json', 'ports.json'];
  await run(launcher, ['import', 'rubble', ...files, '--output', 'flatpod'], { cwd: dir });
  return join(dir, 'flatpod');
}

/** Adds the Pod, as often as it takes, as a kubelet would; its address. */
async function added(site: RubbleSite, node: RubbleNode, pod: string): Promise<string> {
  const output = await eventually(
    `cnitool add ${pod} on ${node.name}`,
    async () => {
      const call = await node.cnitool('add', pod);
      if (call.status === 0) return call.output;
      await node.cnitool('del', pod);
      throw new Error(call.output);
    },
    240,
  ).catch(async (error: unknown) => {
    const logs = await Promise.all(site.nodes.map(async (one) => `${one.name}:\n${await one.log()}`));
    throw new Error(`${String(error)}\n${await eventsOf(site, pod)}\n${logs.join('\n')}`, { cause: error });
  });
  // libcni's result: its shape is what this test asserts.
  const { ips } = JSON.parse(output.slice(output.indexOf('{'))) as { ips: readonly { address: string }[] };
  return ips[0]?.address.split('/')[0] ?? '';
}

async function removed(node: RubbleNode, pod: string): Promise<void> {
  const call = await node.cnitool('del', pod);
  assert.equal(call.status, 0, call.output);
  // Where the agent is just being started, it takes up the release that was kept for it.
  const links = async (): Promise<void> => assert.doesNotMatch(await node.sh(`ip -n ${pod} -br link`), /eth0|node0/);
  await eventually(`${pod} has no link any more`, links, 60);
  await node.sh(`ip netns del ${pod}`);
}

async function eventsOf({ api }: RubbleSite, pod: string): Promise<string> {
  const events = await api.list<{
    metadata: { name: string; uid: string; resourceVersion: string };
    message?: string;
    involvedObject: { name?: string };
  }>('/api/v1/namespaces/shop/events');
  return events.flatMap(({ message, involvedObject }) => (involvedObject.name === pod ? [message ?? ''] : [])).join('\n');
}

/** The node that leads, by the Lease: the holder's name is longer, for one that is started anew is another candidate. */
async function leader({ api }: RubbleSite): Promise<string> {
  const { spec } = await api.ask<{ spec: { holderIdentity?: string } }>(
    'GET',
    '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/flatpod-controller',
  );
  return spec.holderIdentity?.split('_')[0] ?? '';
}

const pings = async (node: RubbleNode, pod: string, to: string): Promise<void> => {
  await eventually(`${pod} reaches ${to}`, () => node.sh(`ip netns exec ${pod} ping -n -c 1 -W 3 ${to}`), 30);
};
const vmPings = async ({ vm }: RubbleSite, to: string): Promise<void> => {
  await eventually(`the virtual machine reaches ${to}`, async () => (await inside(vm, `ping -n -c 1 -W 3 ${to}`)).status === 0, 30);
};

/** Why it cannot run here; undefined: it can. */
function missing(): string | undefined {
  if (builtKernel() === undefined) return 'no guest kernel with ipvlan and nftables is built: scripts/guest-kernel.sh';
  try {
    for (const path of [programs.etcd(), programs.kube('kube-apiserver'), programs.kube('kubectl'), programs.cnitool()])
      assert.ok(existsSync(path));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return undefined;
}

/** Starts the agents as rubble's users start rubble, and puts the plugin where runtimes look for it. */
async function startBoth(site: RubbleSite, flatpod: string): Promise<(node: RubbleNode) => Promise<void>> {
  const options = `--config ${join(flatpod, 'node.yaml')} --controller ${join(flatpod, 'controller.yaml')}`;
  const start = (node: RubbleNode): Promise<void> => node.startAgent(site.bed.environment('demo'), options);
  for (const node of site.nodes) await start(node);
  for (const node of site.nodes) {
    const installed = await node.trySh('bin/flatpod install --wait 300', 360);
    assert.equal(installed.status, 0, `${installed.output}\n${await node.log()}`);
  }
  return start;
}

/** A Service whose one Pod is on the other node, as kube-proxy would have it on this one, and what is read there by its address. */
async function readByService(from: RubbleNode, pod: string, backend: RubbleNode, name: string, address: string): Promise<string> {
  const serve = `${programs.busybox()} httpd -p 8080 -h /run/www`;
  await backend.sh(`mkdir -p /run/www; echo by-service >/run/www/index.html; ip netns exec ${name} ${serve}`);
  const rule = `ip daddr ${SERVICE} tcp dport 80 dnat to ${address}:8080`;
  await from.sh(`nft 'table ip proxy { chain prerouting { type nat hook prerouting priority dstnat; ${rule}; }; }'`);
  assert.match(await from.sh(`ip -n ${pod} route get ${SERVICE}`), /dev node0/);
  return await eventually('the Service answers', () => from.sh(`ip netns exec ${pod} curl -sS -m 5 http://${SERVICE}/`), 60);
}

/** The one that leads is ended in good order and started again; the other one leads from then on. */
async function changeLeader(site: RubbleSite, start: (node: RubbleNode) => Promise<void>): Promise<void> {
  const before = await leader(site);
  const node = site.nodes.find(({ name }) => name === before) ?? assert.fail(`${before} leads`);
  await node.stopAgent();
  await eventually('the other node leads', async () => (await leader(site)) === (before === 'node-1' ? 'node-2' : 'node-1'), 60);
  await start(node);
}

test('rubble’s session: one program a node with OS_* and a kubeconfig; Pods by cnitool on ipvlan; addresses that stay the Pods’ on any node', async (t: TestContext) => {
  const kernel = builtKernel();
  const lacks = missing();
  if (kernel === undefined || lacks !== undefined) return t.skip(lacks);
  await using site = await rubbleSite(kernel);
  const [one, two] = site.nodes;
  const flatpod = await moveIn(site);
  // What the import left open, and what belongs to the cluster.
  appendFileSync(join(flatpod, 'controller.yaml'), '  cluster: office\n');
  await site.kubectl('apply', '--server-side', '-f', join(import.meta.dirname, '../../deploy/crds'));
  const objects = ['-f', join(flatpod, 'podsubnets.yaml'), '-f', join(flatpod, 'ipclaims.yaml')];
  await eventually('the kinds are known', () => site.kubectl('apply', ...objects), 60);
  const start = await startBoth(site, flatpod);

  // Pods end with rubble and are made anew, their templates changed; the port of one is deleted, that of the other forgotten.
  for (const { name } of [db, gateway]) await endPod(site, name);
  await openstack(site, 'port', 'delete', `rubble-${gateway.name}`);
  await createPod(site, gateway.name, one.name, fixed);
  await createPod(site, 'web', two.name);
  assert.equal(await added(site, one, gateway.name), gateway.address);
  const web = await added(site, two, 'web');
  assert.match(await one.sh(`ip -n ${gateway.name} -d link show eth0`), /ipvlan +mode l2/);
  const { body } = await site.demo.network('GET', `/ports?network_id=${site.network}&device_id=${one.server}`);
  const macs = body.ports.map(({ mac_address }: { mac_address: string }) => mac_address);
  assert.deepEqual(macs, [(await one.sh(`ip netns exec ${gateway.name} cat /sys/class/net/eth0/address`)).trim()], 'its second interface');
  assert.doesNotMatch(await one.sh('cat /sys/class/net/vec0/address'), new RegExp(macs.join('|')));

  for (const to of [web, site.gateway, site.vm.address]) await pings(one, gateway.name, to);
  await pings(two, 'web', gateway.address);
  await vmPings(site, gateway.address);
  assert.equal(await readByService(one, gateway.name, two, 'web', web), 'by-service\n');

  // Its address is its own: when it is added again, whoever leads, and on the other node.
  await removed(one, gateway.name);
  assert.equal(await added(site, one, gateway.name), gateway.address);
  await changeLeader(site, start);
  await endPod(site, gateway.name);
  await removed(one, gateway.name);
  await createPod(site, gateway.name, two.name, fixed);
  await createPod(site, 'cache', one.name);
  assert.equal(await added(site, two, gateway.name), gateway.address);
  await vmPings(site, gateway.address);
  await added(site, one, 'cache');
  await pings(one, 'cache', gateway.address);
  await pings(two, gateway.name, site.gateway);

  // What a forgotten port of rubble holds is not taken from it.
  await createPod(site, db.name, one.name, fixed, db.owner);
  const refused = await one.cnitool('add', db.name);
  assert.notEqual(refused.status, 0, refused.output);
  const [{ id }] = (await site.demo.network('GET', `/ports?name=rubble-${db.name}`)).body.ports;
  const said = new RegExp(`cannot give ${db.address}: .*${id}`);
  await eventually('the Pod’s event says who has the address', async () => assert.match(await eventsOf(site, db.name), said), 120);
  await removed(one, db.name);
  await openstack(site, 'port', 'delete', `rubble-${db.name}`);
  assert.equal(await added(site, one, db.name), db.address);
  await pings(two, 'web', db.address);

  for (const [node, pod] of [
    [one, db.name],
    [one, 'cache'],
    [two, 'web'],
    [two, gateway.name],
  ] as const)
    await removed(node, pod);
});
