/** The objects in a real API server: their CRDs are accepted, wrong objects are refused in plain words, kubectl has something to show. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crdFolder } from '../../scripts/crds.ts';
import { podSubnetSpec } from '../../src/store/pod-subnet.ts';
import { eventually } from './eventually.ts';
import { objectsShown } from '../store/objects-page.ts';
import { wrongObjects } from '../store/wrong-objects.ts';
import type { KubeObject } from './admin.ts';
import { type Cluster, startCluster } from './cluster.ts';

const GROUP = '/apis/flatpod.dev/v1alpha1';

interface Definition extends KubeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[] };
}

/** Posts an object; what the server says against it. */
async function refusal(cluster: Cluster, path: string, object: object): Promise<string> {
  try {
    await cluster.admin.ask('POST', path, object);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return assert.fail(`the API server takes ${JSON.stringify(object)}`);
}

const podSubnet = (name: string, spec: object) => ({ apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name }, spec });
const ipClaim = (name: string, spec: object) => ({ apiVersion: 'flatpod.dev/v1alpha1', kind: 'IPClaim', metadata: { name }, spec });
const nodeNetwork = (name: string) => ({ apiVersion: 'flatpod.dev/v1alpha1', kind: 'NodeNetwork', metadata: { name } });
const claims = `${GROUP}/namespaces/default/ipclaims`;
const ready = (status: string) => [
  { type: 'Ready', status, reason: 'Because', message: 'said why', lastTransitionTime: '2026-11-21T13:00:00Z' },
];

test('the objects in a real API server', async (t) => {
  // No node and no VPC: only the API server matters.
  const cluster = await startCluster({ nodes: 0, cni: 'ptp' });
  t.after(() => cluster[Symbol.asyncDispose]());
  await cluster.apply(crdFolder);

  await t.test('their CRDs are established, and structural', async () => {
    await eventually('all are established', async () => {
      const crds = await cluster.admin.list<Definition>('/apis/apiextensions.k8s.io/v1/customresourcedefinitions');
      const said = crds.map(({ status }) => Object.fromEntries((status?.conditions ?? []).map(({ type, status: is }) => [type, is])));
      return said.length === 4 && said.every((is) => is['Established'] === 'True' && is['NonStructuralSchema'] === undefined);
    });
    // Each begins to be served by itself.
    for (const kind of ['podsubnets', 'nodenetworks', 'ipclaims', 'addressledgers'])
      await eventually(`the API serves ${kind}`, () => cluster.admin.list(`${GROUP}/${kind}`));
  });

  for (const { what, kind, spec, field, remedy } of wrongObjects) {
    await t.test(`refused, with field and remedy: ${kind}, ${what}`, async () => {
      const [path, object] = kind === 'PodSubnet' ? [`${GROUP}/podsubnets`, podSubnet('wrong', spec)] : [claims, ipClaim('wrong', spec)];
      const said = await refusal(cluster, path, object);
      assert.match(said, field);
      assert.match(said, remedy);
    });
  }

  await t.test('what the API server takes, the code can read', async () => {
    const blocks = [
      '10.0.0.1',
      '10.0.0.0/24',
      '10.0.0.1/24',
      '0.0.0.0/0',
      '010.0.0.1',
      '10.0.0.1/032',
      '10.0.0.1/',
      '10.1',
      ' 10.0.0.1',
      '::',
      '::/0',
      '2001:DB8::/32',
    ];
    const odd = [
      'fd00::1/128',
      '::ffff:10.0.0.1',
      '::ffff:10.0.0.0/120',
      'fe80::1%eth0',
      'fd00::00001',
      '1:2:3:4:5:6:7:8',
      '1:2:3:4:5:6:7::',
      'fd00::10.0.0.1',
      '',
    ];
    const namespaces = ['a', 'a.b', 'a..b', 'a-', '-a', 'A', 'a_b', '0', 'a'.repeat(63), 'a'.repeat(64), 'ä', 'a\n'];
    const keys = [
      'a',
      'A.b_c-d',
      'example.com/a',
      'Example.com/a',
      'example.com/',
      '/a',
      'a/b/c',
      '',
      'a b',
      'a'.repeat(63),
      'a'.repeat(64),
      `${'a'.repeat(253)}/a`,
      'a\n',
    ];
    const values = ['', 'a', 'A.b_c-d', '-a', 'a'.repeat(63), 'a'.repeat(64), 'a\n'];
    const specs: object[] = [
      ...[...blocks, ...odd].map((one) => ({ exclude: [one] })),
      ...namespaces.map((one) => ({ namespaces: [one] })),
      ...keys.flatMap((key) => [
        { podSelector: { matchLabels: { [key]: 'x' } } },
        { podSelector: { matchExpressions: [{ key, operator: 'Exists' }] } },
      ]),
      ...values.flatMap((value) => [
        { podSelector: { matchLabels: { x: value } } },
        { podSelector: { matchExpressions: [{ key: 'x', operator: 'In', values: [value] }] } },
      ]),
    ];
    const taken: object[] = [];
    for (const spec of specs) {
      const object = podSubnet('maybe', { cloudSubnet: 's-1', ...spec });
      const answer = cluster.admin.ask<{ spec: unknown }>('POST', `${GROUP}/podsubnets?dryRun=All`, object);
      const made = await answer.catch(() => undefined);
      if (made === undefined) continue;
      taken.push(spec);
      assert.equal(podSubnetSpec.safeParse(made.spec).success, true, `the API server takes ${JSON.stringify(spec)}, the code does not`);
    }
    const onlyOurs = specs.filter((spec) => !taken.includes(spec) && podSubnetSpec.safeParse({ cloudSubnet: 's-1', ...spec }).success);
    assert.deepEqual(onlyOurs, [{ exclude: ['::ffff:10.0.0.1'] }, { exclude: ['::ffff:10.0.0.0/120'] }]);
  });

  await t.test('a name that is too long for a PodSubnet is refused', async () => {
    const said = await refusal(cluster, `${GROUP}/podsubnets`, podSubnet('a'.repeat(64), { cloudSubnet: 's-1' }));
    assert.match(said, /metadata\.name has more than 63 characters: choose a shorter one/);
  });

  await t.test('a key that is not known is told by kubectl', async () => {
    const stdin = JSON.stringify(podSubnet('wrong', { cloudSubnet: 's-1', spare: 3 }));
    const { status, stderr } = await cluster.tryKubectl(['create', '-f', '-'], { stdin });
    assert.notEqual(status, 0);
    assert.match(stderr, /unknown field "spec\.spare"/);
  });

  await t.test('the objects of the documentation are taken', async () => {
    await cluster.kubectl('create', 'namespace', 'shop');
    const stdin = objectsShown()
      .map((object) => JSON.stringify(object))
      .join('\n---\n');
    const { status, stderr } = await cluster.tryKubectl(['apply', '--dry-run=server', '-f', '-'], { stdin });
    assert.equal(status, 0, stderr);
  });

  await t.test('what is left out is filled in as the code does it', async () => {
    const made = await cluster.admin.ask<{ spec: unknown }>(
      'POST',
      `${GROUP}/podsubnets`,
      podSubnet('general', { cloudSubnet: 's-1', podSelector: {} }),
    );
    assert.deepEqual(made.spec, {
      cloudSubnet: 's-1',
      default: false,
      namespaces: [],
      podSelector: { matchLabels: {}, matchExpressions: [] },
      priority: 0,
      assignable: false,
      families: [4],
      unit: 'address',
      datapath: 'routed-veth',
      securityGroups: [],
      exclude: [],
      useFirstNic: true,
      warm: { minimum: 0, spare: 4, spareNics: 0 },
      perNode: { maximum: 250 },
      perCluster: {},
    });
  });

  await t.test('an IPClaim keeps its Pods, subnet and addresses; it can only get more', async () => {
    const spec = { podSelector: { matchLabels: { app: 'web' } }, subnet: 'general', count: 2, addresses: ['10.0.0.9'] };
    await cluster.admin.ask('POST', claims, ipClaim('web', spec));
    const change = async (changed: object): Promise<string> => {
      const { status, stderr } = await cluster.tryKubectl(['patch', 'ipc', 'web', '--type=merge', '-p', JSON.stringify({ spec: changed })]);
      return status === 0 ? 'taken' : stderr;
    };
    assert.match(await change({ subnet: 'other' }), /spec\.subnet: .*subnet cannot be changed: .*delete this IPClaim and make another/);
    assert.match(await change({ subnet: null }), /spec\.subnet: .*subnet cannot be changed/);
    assert.match(await change({ podSelector: { matchLabels: { app: 'db' } } }), /spec\.podSelector: .*podSelector cannot be changed/);
    assert.match(await change({ podSelector: null, pod: 'web-0', count: 1 }), /spec\.pod: .*pod cannot be changed/);
    assert.match(await change({ addresses: ['10.0.0.8'] }), /spec\.addresses: .*cannot be taken out/);
    assert.match(await change({ count: 1 }), /spec\.count: .*count cannot be lowered/);
    assert.equal(await change({ count: 3, addresses: ['10.0.0.8', '10.0.0.9'], reclaim: 'TTL', ttl_s: 60 }), 'taken');
  });

  await t.test(
    'a NodeNetwork may be without spec; each half is written without the other, and spec cannot be written as status',
    async () => {
      const empty = { apiVersion: 'flatpod.dev/v1alpha1', kind: 'NodeNetwork', metadata: { name: 'n1.example.com' } };
      await cluster.admin.ask('POST', `${GROUP}/nodenetworks`, empty);
      const at = `${GROUP}/nodenetworks/n1.example.com`;
      const demand = [{ subnet: 'general', inUse: 1, cooling: 0, waiting: 2 }];
      await cluster.admin.ask('PATCH', at, { spec: { demand }, status: { instance: 'i-lie' } });
      const status = { instance: 'i-1', term: 1, held: 5, notes: { free: { form: [1] } }, conditions: ready('True') };
      await cluster.admin.ask('PATCH', `${at}/status`, { spec: { demand: [] }, status });
      const read = await cluster.admin.ask<{ spec: object; status: object }>('GET', at);
      assert.deepEqual(read.spec, { demand, returned: [] });
      assert.deepEqual(read.status, { ...status, vpcCidrs: [], nics: [], growth: [] });
      await assert.rejects(
        cluster.admin.ask('PATCH', at, { spec: { returned: ['10.0.0.1'] } }),
        /spec\.returned\[0\].*is no CIDR block such as/,
      );
    },
  );

  await t.test('objects as large as they may be are within the budget of the rules', async () => {
    const many = <T>(length: number, one: (i: number) => T): T[] => Array.from({ length }, (_, i) => one(i));
    const block = (i: number): string => `10.${i >> 8}.${i & 255}.1/32`;
    const selector = {
      matchLabels: Object.fromEntries(many(64, (i) => [`example.com/${'k'.repeat(50)}${i}`, 'v'.repeat(63)])),
      matchExpressions: many(64, (i) => ({ key: `k${i}`, operator: 'In', values: many(64, (j) => `${'v'.repeat(50)}${j}`) })),
    };
    const spec = {
      cloudSubnet: 's-1',
      namespaces: many(256, (i) => `${'n'.repeat(50)}${i}`),
      exclude: many(1024, block),
      podSelector: selector,
      namespaceSelector: selector,
      serviceAccountSelector: selector,
      nodeSelector: selector,
    };
    await cluster.admin.ask('POST', `${GROUP}/podsubnets`, podSubnet('largest', spec));
    const addresses = many(256, (i) => `10.0.0.${i}`);
    await cluster.admin.ask('POST', claims, ipClaim('largest', { podSelector: selector, count: 256, addresses }));
    await cluster.admin.ask('PATCH', `${claims}/largest`, { spec: { ttl_s: 60, reclaim: 'TTL' } });
    const asked = (i: number) => ({
      namespace: 'shop',
      pod: `${'p'.repeat(200)}${i}`,
      uid: `${i}`,
      subnets: ['general'],
      addresses: ['10.0.0.1'],
    });
    const node = {
      demand: many(1024, (i) => ({ subnet: `s${i}`, inUse: 1, cooling: 1, waiting: 1 })),
      returned: many(16_384, block),
      remembered: many(16_384, block),
      claims: many(1024, asked),
    };
    await cluster.admin.ask('POST', `${GROUP}/nodenetworks`, { ...nodeNetwork('largest'), spec: node });
    for (const at of [`${GROUP}/podsubnets`, claims, `${GROUP}/nodenetworks`]) await cluster.admin.ask('DELETE', `${at}/largest`);
  });

  await t.test('kubectl get shows in columns what one looks for', async () => {
    const held = { address: '10.0.0.9', subnet: 'general', node: 'n1', pod: 'web-abc', phase: 'Bound', since: '2026-11-21T13:00:00Z' };
    await cluster.admin.ask('PATCH', `${claims}/web/status`, { status: { addresses: [held], conditions: ready('False') } });
    const use = {
      zone: 'zone-a',
      cloudSubnets: ['s-1', 's-2'],
      held: 12,
      free: 230,
      nodes: 2,
      assignedTo: ['x', 'y'],
      conditions: ready('True'),
    };
    await cluster.admin.ask('PATCH', `${GROUP}/podsubnets/general/status`, { status: use });
    const shown = async (...what: string[]): Promise<string> => (await cluster.kubectl('get', ...what)).replaceAll(/ {2,}/g, ' | ');
    assert.match(
      await shown('psn'),
      /NAME \| CLOUD-SUBNET \| ZONE \| DEFAULT \| HELD \| FREE \| NODES \| READY \| AGE\ngeneral \| s-1 \| zone-a \| false \| 12 \| 230 \| 2 \| True \| /,
    );
    assert.match(
      await shown('psn', '-o', 'wide'),
      /PRIORITY \| PARENT \| CLOUD-SUBNETS \| UNIT \| PER-NODE \| ASSIGNED-TO \| MESSAGE.*\n.*True \| 0 \| \["s-1","s-2"\] \| address \| 250 \| \["x","y"\] \| said why/,
    );
    assert.match(await shown('nn'), /NAME \| INSTANCE \| HELD \| READY \| AGE\nn1\.example\.com \| i-1 \| 5 \| True \| /);
    assert.match(
      await shown('ipc'),
      /NAME \| ADDRESS \| COUNT \| PHASE \| POD \| NODE \| RECLAIM \| READY \| AGE\nweb \| 10\.0\.0\.9 \| 3 \| Bound \| web-abc \| n1 \| TTL \| False \| /,
    );
    assert.match(
      await shown('flatpod'),
      /podsubnet\.flatpod\.dev\/general[\s\S]*nodenetwork\.flatpod\.dev\/n1|nodenetwork\.flatpod\.dev\/n1[\s\S]*podsubnet/,
    );
  });

  await t.test('kubectl explain tells what each field is for', async () => {
    // kubectl asks for a schema that the server makes some time after the CRD.
    await eventually('there is something to explain', async () => (await cluster.tryKubectl(['explain', 'psn'])).status === 0, 30);
    const explained = async (path: string): Promise<string> => (await cluster.kubectl('explain', path)).replaceAll(/\s+/g, ' ');
    assert.match(await explained('psn'), /A PodSubnet lets Pods use a subnet of the cloud/);
    assert.match(await explained('psn.spec.warm.spare'), /free addresses to keep beyond those in use/);
    assert.match(await explained('psn.spec.podSelector.matchExpressions.operator'), /NotIn: it has none of them, or is not there/);
    assert.match(await explained('nn.status.nics.reclaiming'), /the controller wants back/);
    assert.match(await explained('ipc.spec.reclaim'), /Retain: it is kept until this IPClaim is deleted/);
  });
});
