/** `flatpod import rubble`: its configuration becomes an ipvlan PodSubnet, its fixed addresses IPClaims, and its ports are answered for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isFailure } from '../../src/errors/failure.ts';
import { entryOf, importOf, specOf, textOfFixture, unfinished } from './import-support.ts';

const [settings, cni, pods, ports] = ['rubble.json', '10-rubble.conf', 'pods.json', 'ports.json'].map((name) =>
  textOfFixture(`rubble/${name}`),
);
const whole = () => importOf('rubble', settings ?? '', cni ?? '', pods ?? '', ports ?? '');
const SUBNET = 'subnet-6d9f3f0a-2b51-4a57-9a83-1f7c2f3f6f10';

test('the daemon and its CNI configuration become an ipvlan PodSubnet on a further interface, read by our programs without a complaint', () => {
  const imported = whole();
  assert.deepEqual(unfinished(imported), []);
  assert.deepEqual(specOf(imported.made, 'PodSubnet'), {
    cloudSubnet: '6d9f3f0a-2b51-4a57-9a83-1f7c2f3f6f10',
    default: true,
    datapath: 'ipvlan',
    mode: 'l2',
    useFirstNic: false,
    warm: { spare: 3 },
  });
  assert.deepEqual(specOf(imported.made, 'NodeConfig'), { cluster: {}, serviceCidrs: ['10.96.0.0/12'] });
});

test('its kubeconfig is that of both programs, which are one on a node that runs both', () => {
  const { made } = importOf('rubble', { subnet_id: 's1', kubeconfig: '/etc/rubble/kubeconfig' });
  assert.deepEqual(specOf(made, 'NodeConfig'), { cluster: { kubeconfig: '/etc/rubble/kubeconfig' } });
  assert.deepEqual(specOf(made, 'ControllerConfig'), { cloud: { type: 'openstack' }, kubeconfig: '/etc/rubble/kubeconfig' });
});

test('Pods that keep their name and ask for an address have an IPClaim with it, and their workload is told what annotation it needs', () => {
  const { made, account } = whole();
  assert.deepEqual(
    made.filter(({ kind }) => kind === 'IPClaim').map(({ namespace, name, spec }) => [namespace, name, spec]),
    [
      ['shop', 'db-0', { subnet: SUBNET, pod: 'db-0', addresses: ['10.30.0.21'] }],
      ['shop', 'db-1', { subnet: SUBNET, pod: 'db-1', addresses: ['10.30.0.22'] }],
      ['shop', 'gateway', { subnet: SUBNET, pod: 'gateway', addresses: ['10.30.0.40'] }],
    ],
  );
  const left = account.entries.filter(({ fate, key }) => fate === 'left' && key === 'annotations');
  assert.deepEqual(
    left.map(({ from }) => from),
    ['StatefulSet shop/db', 'Pod shop/gateway'],
  );
});

test('Pods whose name changes are told apart: no IPClaim would know them again', () => {
  const { fate, text } = entryOf(whole(), 'shop/web-6d5f9c7b8d-x2x9k rubble.kubernetes.io/ip_address');
  assert.deepEqual([fate, /new name each time/.test(text)], ['none', true]);
});

test('addresses of Pods on its network are listed; Pods on the network of their node are not', () => {
  assert.deepEqual(
    whole().kept.map(({ address, pod, subnet }) => `${address} ${pod} ${subnet}`),
    [
      `10.30.0.21 db-0 ${SUBNET}`,
      `10.30.0.22 db-1 ${SUBNET}`,
      `10.30.0.40 gateway ${SUBNET}`,
      `10.30.0.33 web-6d5f9c7b8d-x2x9k ${SUBNET}`,
      `10.30.0.34 worker-5c4b3a2918-aaaaa ${SUBNET}`,
    ],
  );
});

test('every port is answered for: of a Pod, of nobody, of a Pod that may come again by its tags, of others', () => {
  const told = whole().account.entries.filter(({ key }) => /\bports?$/.test(key) && key !== 'ports');
  assert.deepEqual(
    told.map(({ fate, key, text }) => `${fate} ${key} ${/^(a Pod's|nobody's|no Pod|nothing)/.exec(text)?.[1]}`),
    ['equal 1 other ports nothing', ...Array.from({ length: 5 }, () => "equal port a Pod's"), "equal port nobody's", 'none port no Pod'],
  );
});

test('ports are read as the command and as the API show them, and a list without owners is refused', () => {
  const [id, owner, fixed] = ['p1', 'network:secondary', [{ subnet_id: 's1', ip_address: '10.0.0.5' }]];
  for (const list of [
    { ports: [{ id, device_owner: owner, fixed_ips: fixed }] },
    [{ ID: id, 'Device Owner': owner, 'Fixed IP Addresses': fixed }],
    [{ ID: id, 'Device Owner': owner, 'Fixed IP Addresses': "ip_address='10.0.0.5', subnet_id='s1'" }],
  ])
    assert.equal(specOf(importOf('rubble', list).made, 'PodSubnet')['cloudSubnet'], 's1');
  assert.throws(
    () => importOf('rubble', [{ ID: id, 'Fixed IP Addresses': fixed }]),
    (error) => isFailure(error, 'importMistaken') && /without its owner.*--long/.test(error.details),
  );
});

test('modes of ipvlan are taken; others are mistakes by file, line and key', () => {
  for (const mode of ['l2', 'L3', 'l3s'])
    assert.equal(specOf(importOf('rubble', { type: 'rubble', master: 'eth1', mode }).made, 'PodSubnet')['mode'], mode.toLowerCase());
  assert.throws(
    () => importOf('rubble', { type: 'rubble', mode: 'bridge' }),
    (error) => isFailure(error, 'importMistaken') && /\/0:3: mode: must be l2, l3 or l3s, not "bridge"/.test(error.details),
  );
});

test('an annotation that is no address is a mistake', () => {
  const pod = { kind: 'Pod', metadata: { name: 'a', namespace: 'b', annotations: { 'rubble.kubernetes.io/ip_address': '10.0.0.300' } } };
  assert.throws(() => importOf('rubble', pod), { kind: 'importMistaken' });
});

test('passwords are named, and never repeated', () => {
  const { account, made } = whole();
  assert.equal(account.entries.find(({ key }) => key === 'password')?.fate, 'none');
  assert.doesNotMatch(JSON.stringify([account.entries, made]), /not-to-be-seen/);
});

test('a second configuration of the same kind is a mistake: no setting is passed over for another', () => {
  assert.throws(() => importOf('rubble', { type: 'rubble', mode: 'l2' }, { type: 'rubble', mode: 'l3' }), { kind: 'importMistaken' });
});

test('a key that nobody knows is always named, and its value never repeated', () => {
  const places = [
    (key: string, value: string) => ({ subnet_id: 's', [key]: value }),
    (key: string, value: string) => ({ type: 'rubble', [key]: value }),
    (key: string, value: string) => ({ name: 'n', plugins: [{ type: 'rubble', [key]: value }] }),
    (key: string, value: string) => ({ name: 'n', plugins: [{ type: 'rubble' }], [key]: value }),
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...places),
      fc.stringMatching(/^[a-z_]{3,12}$/),
      fc.stringMatching(/^secret-[a-z0-9]{12}$/),
      (put, name, secret) => {
        const key = `x${name}`;
        const { account, made } = importOf('rubble', put(key, secret));
        const told = account.entries.filter((entry) => entry.key.split('.').at(-1) === key);
        assert.deepEqual(
          told.map(({ fate, value }) => [fate, value]),
          [['none', '']],
        );
        assert.ok(!JSON.stringify([account.entries, made]).includes(secret));
      },
    ),
    { numRuns: 50 },
  );
});

test('any Pods are read whole or refused, and each annotated one is a claim or named', () => {
  const pod = fc.record({
    name: fc.stringMatching(/^[a-z]{1,8}$/),
    owner: fc.constantFrom('StatefulSet', 'ReplicaSet', 'Job', undefined),
    address: fc.option(fc.ipV4(), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.uniqueArray(pod, { selector: ({ name }) => name, maxLength: 6 }), (all) => {
      const items = all.map(({ name, owner, address }) => ({
        kind: 'Pod',
        metadata: {
          name,
          namespace: 'a',
          ...(address !== undefined && { annotations: { 'rubble.kubernetes.io/ip_address': address } }),
          ...(owner !== undefined && { ownerReferences: [{ kind: owner, name: 'w' }] }),
        },
      }));
      const { account, made } = importOf('rubble', { kind: 'PodList', items });
      const claims = new Set(made.filter(({ kind }) => kind === 'IPClaim').map(({ name }) => name));
      for (const { name, owner, address } of all) {
        const told = account.entries.filter(({ key }) => key.startsWith(`a/${name} `));
        assert.equal(told.length, address === undefined ? 0 : 1);
        assert.equal(claims.has(name), address !== undefined && (owner === undefined || owner === 'StatefulSet'));
      }
    }),
    { numRuns: 40 },
  );
});
