/** hostnic's settings served as they are run: the command, with the chart's rights, before a real API server with hostnic's kinds, and QingCloud's API in front of the emulated VPC. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { launcher } from '../../src/cli/demo/processes.ts';
import { eventually } from '../cluster/eventually.ts';
import { ended, type KubeBeside, kubeBeside, lacksKube } from '../openstack/kube-beside.ts';
import { qingGround } from './ground.ts';

const LIMIT_s = 60;
const GROUP = 'network.qingcloud.com';
const block = (from: number): string => `4100-10-20-1-${from}-26`;

/** As little of it as an API server needs: what is in an object is hostnic's affair. */
const kindOf = (kind: string, plural: string): object => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.${GROUP}` },
  spec: {
    group: GROUP,
    scope: 'Cluster',
    names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
    versions: [
      {
        name: 'v1alpha1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
});
const kinds = [
  ['VxNetPool', 'vxnetpools'],
  ['IPPool', 'ippools'],
  ['IPAMBlock', 'ipamblocks'],
] as const;

const configMap = (name: string, data: object): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'kube-system' },
  data,
});
const namespace = (name: string): object => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
const ipam = (assign: 'on' | 'off', of: object): object =>
  configMap('hostnic-ipam-config', { 'subnet-auto-assign': assign, ipam: JSON.stringify(of) });

function controller({ dir }: KubeBeside, file: string): ChildProcess {
  const out = openSync(file, 'a');
  const argv = ['--pdeathsig', 'KILL', launcher, 'controller', '--config', join(dir, 'controller.yaml')];
  const child = spawn('setpriv', argv, { stdio: ['ignore', out, out], env: { PATH: process.env['PATH'], HOME: dir, POD_NAME: 'one' } });
  closeSync(out);
  return child;
}

test('the controller as it is installed serves hostnic’s ConfigMaps and objects, heeds each change, and assigns blocks, with the rights that the chart gives it', async (t) => {
  const lacks = lacksKube();
  if (lacks !== undefined) return t.skip(lacks);
  await using ground = await qingGround();
  const vxnet = await ground.subnet('10.20.1.0/24', 'pods');
  await using kube = await kubeBeside({ cluster: 'real', cloud: { type: 'qingcloud' }, hostnic: { enabled: true } });
  const cloud = { type: 'qingcloud', zone: 'pek3a', endpoint: ground.endpoint, credentialsFile: ground.keys };
  const spec = { cluster: 'real', cloud, kubeconfig: kube.kubeconfig, hostnic: {} };
  const config = { apiVersion: 'flatpod.dev/v1alpha1', kind: 'ControllerConfig', metadata: { name: 'real' }, spec };
  writeFileSync(join(kube.dir, 'controller.yaml'), JSON.stringify(config));
  await kube.apply(...kinds.map(([kind, plural]) => kindOf(kind, plural)));
  await kube.kubectl('wait', '--for=condition=Established', '--timeout=30s', ...kinds.map(([, plural]) => `crd/${plural}.${GROUP}`));
  const own = (kind: string, name: string, rest: object): object => ({
    apiVersion: `${GROUP}/v1alpha1`,
    kind,
    metadata: { name },
    ...rest,
  });
  const cut = { name: vxnet, ippool: vxnet, subnets: [0, 64, 128, 192].map(block) };
  const daemon = (maxNic: number): object =>
    configMap('hostnic-cfg-cm', {
      hostnic: JSON.stringify({ pool: { maxNic, vxNets: [vxnet] } }),
      'hostnic-cni': JSON.stringify({ type: 'hostnic', serviceCIDR: '10.96.0.0/16' }),
    });
  await kube.apply(
    namespace('shop'),
    own('VxNetPool', 'v-pool', { spec: { vxnets: [{ name: vxnet }], blockSize: 26 }, status: { ready: true, pools: [cut] } }),
    own('IPPool', vxnet, { spec: { type: 'local', cidr: '10.20.1.0/24' } }),
    daemon(60),
    ipam('off', { Default: [vxnet], shop: [block(64)] }),
  );
  const file = join(kube.dir, 'controller.log');
  const log = (): string => readFileSync(file, 'utf8');
  const within = async (name: string): Promise<string> =>
    kube.kubectl('get', 'podsubnet', name, '-o', 'jsonpath={.metadata.labels.flatpod\\.dev/made-from} {.spec.within}');
  const until = (what: string, probe: () => Promise<void>): Promise<void> => eventually(what, probe, LIMIT_s);
  const running = controller(kube, file);
  try {
    await until('the settings are served', async () => {
      assert.equal(await within(`${vxnet}-shop`), 'hostnic ["10.20.1.64/26"]');
      assert.equal(await within(vxnet), 'hostnic ["10.20.1.0/26","10.20.1.128/25"]');
    });
    await until('the cloud’s block is in its status', async () =>
      assert.equal(await kube.kubectl('get', 'podsubnet', vxnet, '-o', 'jsonpath={.status.cidrs[0]}'), '10.20.1.0/24'),
    );
    // A change of each of them.
    await kube.apply(ipam('off', { Default: [vxnet], shop: [block(64), block(128)] }));
    await until('another block', async () => assert.equal(await within(`${vxnet}-shop`), 'hostnic ["10.20.1.64/26","10.20.1.128/26"]'));
    const allocations = [null, 0, ...Array.from({ length: 62 }, () => null)];
    const attributes = [{ handle_id: 'h', secondary: { pod: 'former', namespace: 'shop', node: 'n1', ip: '10.20.1.65' } }];
    await kube.apply(own('IPAMBlock', block(64), { spec: { id: 4100, cidr: '10.20.1.64/26', allocations, attributes } }));
    await until('what hostnic’s Pod has is excluded', async () =>
      assert.match(await kube.kubectl('get', 'podsubnet', `${vxnet}-shop`, '-o', 'jsonpath={.spec}'), /10\.20\.1\.65/),
    );
    const events = (name: string): Promise<string> =>
      kube.kubectl(
        'get',
        'events',
        '-n',
        'kube-system',
        '--field-selector',
        `involvedObject.name=${name}`,
        '-o',
        'jsonpath={.items[*].message}',
      );
    await kube.apply(configMap('clusterconfig', { 'qingcloud.yaml': 'zone: [wrong\n' }));
    await until('a mistake in clusterconfig is its event', async () => assert.match(await events('clusterconfig'), /FP506/));
    await kube.apply(configMap('clusterconfig', { 'qingcloud.yaml': 'zone: pek3a\nuserID: usr-1\n' }));

    // From now on blocks are written where hostnic writes them.
    await kube.apply(ipam('on', { shop: [block(64)] }), namespace('web'));
    const written = async (): Promise<Record<string, string[]>> =>
      JSON.parse(await kube.kubectl('get', 'cm', 'hostnic-ipam-config', '-n', 'kube-system', '-o', 'jsonpath={.data.ipam}')) as Record<
        string,
        string[]
      >; // a namespace has a list
    // The namespaces that an API server makes itself have the others.
    await until('the blocks are assigned', async () => assert.equal(Object.values(await written()).flat().length, 4));
    const all = await written();
    assert.deepEqual([all['shop'], new Set(Object.values(all).flat()).size], [[block(64)], 4]);
    await until('who has none is told', async () =>
      assert.match(await kube.kubectl('get', 'events', '-A', '-o', 'jsonpath={.items[*].reason}'), /NoBlockFree/),
    );
    await kube.apply(ipam('off', { Default: [vxnet] }));
    await until('what is not wanted any more is deleted', async () =>
      assert.equal((await kube.kubectl('get', 'podsubnets', '-o', 'name')).trim(), `podsubnet.flatpod.dev/${vxnet}`),
    );
    assert.doesNotMatch(log(), /forbidden|are not followed|is not served/i);
  } catch (error) {
    throw new Error(`the controller said:\n${log().slice(-4000)}`, { cause: error });
  } finally {
    await ended(running);
  }
});
