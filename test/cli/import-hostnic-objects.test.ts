/** `flatpod import hostnic` of what hostnic's own controller writes into its objects, and of settings that hostnic itself does not go by. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailure } from '../../src/errors/failure.ts';
import type { Ip } from '../../src/net/address.ts';
import { cutByHostnic } from '../controller/hostnic-blocks.ts';
import { entryOf, importOf, specOf, unfinished } from './import-support.ts';

const apiVersion = 'network.qingcloud.com/v1alpha1';

/** A /24 as hostnic has cut it, of which Pods have these addresses. */
function vxnetOf(name: string, net: string, ...pods: readonly string[]) {
  const range = [`${net}.2` as Ip, `${net}.242` as Ip] as const;
  const { pool, blocks } = cutByHostnic({ cidr: `${net}.0/24`, range, length: 25, pods: pods.map((pod) => `${net}.${pod}` as Ip) });
  return {
    pool: { apiVersion, kind: 'IPPool', metadata: { name }, spec: pool },
    blocks: { apiVersion, kind: 'IPAMBlockList', items: blocks.map((block) => ({ apiVersion, kind: 'IPAMBlock', ...block })) },
    cut: { name, ippool: name, subnets: blocks.map(({ metadata }) => metadata.name) },
  };
}

const vPool = (...cuts: readonly { name: string }[]): object => ({
  apiVersion,
  kind: 'VxNetPool',
  metadata: { name: 'v-pool' },
  spec: { vxnets: cuts.map(({ name }) => ({ name })), blockSize: 25 },
  status: { ready: true, pools: cuts },
});

const ipamConfig = (ipam: object, auto = 'off'): object => ({
  kind: 'ConfigMap',
  metadata: { name: 'hostnic-ipam-config' },
  data: { 'subnet-auto-assign': auto, ipam: JSON.stringify(ipam) },
});

test('addresses that hostnic keeps from Pods are no Pods’ to be waited for, and no PodSubnet gives them, with or without the IPPool that says why', () => {
  const { pool, blocks, cut } = vxnetOf('vxnet-1', '10.9.0', '7');
  const ipam = ipamConfig({ Default: ['vxnet-1'], shop: ['4100-10-9-0-128-25'] });
  const whole = importOf('hostnic', vPool(cut), pool, blocks, ipam);
  const without = importOf('hostnic', vPool(cut), blocks, ipam);
  for (const { kept, account } of [whole, without]) {
    assert.deepEqual(
      kept.map(({ address, pod, subnet }) => [address, pod, subnet]),
      [['10.9.0.7', 'web-10-9-0-7', 'vxnet-1']],
    );
    const left = account.entries.find(({ from, key }) => from === 'all PodSubnets' && key === 'spec.exclude');
    assert.match(left?.text ?? '', /^1 addresses are excluded because Pods of hostnic have them/);
  }
  assert.deepEqual(specOf(whole.made, 'PodSubnet', 'vxnet-1')['exclude'], ['10.9.0.7']);
  assert.equal(specOf(whole.made, 'PodSubnet', 'vxnet-1-shop')['exclude'], undefined, 'within leaves them out');
  assert.deepEqual(specOf(without.made, 'PodSubnet', 'vxnet-1')['exclude'], ['10.9.0.0/31', '10.9.0.7', '10.9.0.128/25']);
  assert.deepEqual(specOf(without.made, 'PodSubnet', 'vxnet-1-shop')['exclude'], ['10.9.0.243', '10.9.0.244/30', '10.9.0.248/29']);
});

test('a namespace whose blocks hostnic keeps from Pods whole gets no PodSubnet by them, and the account says so', () => {
  const { cut } = vxnetOf('vxnet-1', '10.9.0');
  const spec = { type: 'local', cidr: '10.9.0.0/24', rangeStart: '10.9.0.2', rangeEnd: '10.9.0.126' };
  const pool = { apiVersion, kind: 'IPPool', metadata: { name: 'vxnet-1' }, spec };
  const { made, account } = importOf('hostnic', vPool(cut), pool, ipamConfig({ shop: ['4100-10-9-0-128-25'] }));
  assert.deepEqual(
    made.filter(({ kind }) => kind === 'PodSubnet').map(({ name }) => name),
    ['vxnet-1'],
  );
  const told = account.entries.filter(({ key }) => key === 'hostnic-ipam-config.ipam.shop' || key.endsWith('.shop'));
  assert.deepEqual(
    told.map(({ fate }) => fate),
    ['none'],
  );
  assert.match(told[0]?.text ?? '', /4100-10-9-0-128-25 lies outside of the vxnet's range/);
});

test('a vxnet that left v-pool is imported for Pods that have addresses of it and namespaces that have blocks of it, and serves nobody else', () => {
  const [one, two] = [vxnetOf('vxnet-1', '10.9.0'), vxnetOf('vxnet-2', '10.8.0', '7')];
  const objects = [vPool(one.cut), one.pool, two.pool, one.blocks, two.blocks];
  for (const ipam of [ipamConfig({ Default: ['vxnet-1'] }), ipamConfig({}, 'on'), {}]) {
    const imported = importOf('hostnic', ...objects, ...('kind' in ipam ? [ipam] : []));
    assert.equal(specOf(imported.made, 'PodSubnet', 'vxnet-1')['default'], true);
    const { default: isDefault, namespaces, exclude } = specOf(imported.made, 'PodSubnet', 'vxnet-2');
    assert.deepEqual([isDefault, namespaces, exclude], [undefined, undefined, ['10.8.0.7']]);
    assert.deepEqual(
      imported.kept.map(({ address, subnet }) => [address, subnet]),
      [['10.8.0.7', 'vxnet-2']],
    );
    assert.match(entryOf(imported, 'IPPool vxnet-2').text, /v-pool does not name this vxnet/);
  }
  const empty = vxnetOf('vxnet-2', '10.8.0');
  const unused = [vPool(one.cut), one.pool, one.blocks, empty.pool, empty.blocks];
  const named = importOf('hostnic', ...unused, ipamConfig({ Default: ['vxnet-1'], shop: ['4100-10-8-0-128-25'] }));
  assert.deepEqual(specOf(named.made, 'PodSubnet', 'vxnet-2-shop')['namespaces'], ['shop']);
  const gone = importOf('hostnic', ...unused, ipamConfig({ Default: ['vxnet-1'] }));
  assert.ok(!gone.made.some(({ name }) => name.startsWith('vxnet-2')));
  assert.deepEqual(
    gone.account.entries.filter(({ key }) => /^(IPAMBlock 4100-10-8-|IPPool vxnet-2$)/.test(key)).map(({ fate }) => fate),
    ['equal', 'equal', 'equal'],
  );
  assert.throws(
    () => importOf('hostnic', one.pool, one.blocks, two.pool, two.blocks, ipamConfig({ Default: ['vxnet-1'] })),
    (error) => isFailure(error, 'importMistaken') && /belongs to no vxnet of these files.*add the VxNetPool v-pool/.test(error.details),
    'without v-pool nobody knows what else is missing',
  );
});

test('logLevel 0 is none, as in hostnic, whose own is info', () => {
  const of = (logLevel: unknown) => importOf('hostnic', { type: 'hostnic', logLevel });
  assert.equal(specOf(of(0).made, 'NodeConfig')['log'], undefined);
  assert.equal(entryOf(of(0), 'logLevel').fate, 'equal');
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6].map((level) => specOf(of(level).made, 'NodeConfig')['log']),
    ['error', 'error', 'warn', 'info', 'debug', 'debug'],
  );
});

test('userID is not taken for the owner of NICs: hostnic never reads it, so that a wrong one went unseen', () => {
  const imported = importOf('hostnic', { zone: 'pek3a', clusterID: 'cl-1', userID: 'usr-hRAmdSn6' });
  assert.deepEqual(specOf(imported.made, 'ControllerConfig'), { cluster: 'cl-1', cloud: { type: 'qingcloud', zone: 'pek3a' } });
  const { fate, text, remedy } = entryOf(imported, 'userID');
  assert.equal(fate, 'none');
  assert.match(`${text}; ${remedy}`, /hostnic never reads it.*cloud\.owner/);
  assert.deepEqual(unfinished(imported), []);
});
