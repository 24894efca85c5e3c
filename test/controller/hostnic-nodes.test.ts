/** What hostnic's settings say of nodes, served as they are: told to every node's agent, and kept while nobody knows better. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Controller } from '../../src/controller/controller.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import type { NodeSettings } from '../../src/store/node-network.ts';
import { bench, demand, subnet } from './harness.ts';
import { blockOf, hostnicCluster } from './hostnic-cluster.ts';

const cni = (more: Readonly<Record<string, unknown>>): Record<string, string> => ({
  hostnic: JSON.stringify({ pool: { maxNic: 60, vxNets: ['vxnet-1'] } }),
  'hostnic-cni': JSON.stringify({ type: 'hostnic', ...more }),
});

test('serviceCIDR, logLevel and mtu are said of nodes as they stand now, and nodes are looked at again only when they are others', async () => {
  const { pass, config, serve, changes, said } = hostnicCluster();
  const served = serve();
  assert.equal(served.nodeSettings(), undefined, 'nothing was read yet');
  await pass(3000);
  assert.deepEqual([served.nodeSettings(), changes()], [{ serviceCidrs: ['10.233.0.0/18'] }, 1]);
  const steps: readonly (readonly [cni: Record<string, unknown>, told: unknown])[] = [
    [
      { serviceCIDR: '10.96.0.0/16', logLevel: 'debug' },
      { serviceCidrs: ['10.96.0.0/16'], log: 'debug' },
    ],
    [
      { serviceCIDR: '10.96.0.0/16,fd00:96::/112', logLevel: 'trace', mtu: 1400 },
      { serviceCidrs: ['10.96.0.0/16', 'fd00:96::/112'], log: 'debug', mtu: 1400 },
    ],
    [{ logLevel: 2, mtu: 1500 }, { log: 'error' }],
    [{ mtu: 0 }, {}],
  ];
  for (const [i, [text, told]] of steps.entries()) {
    said.length = 0;
    config('hostnic-cfg-cm', cni(text));
    await pass(3000);
    assert.deepEqual([served.nodeSettings(), changes()], [told, i + 2]);
    const [event] = said;
    assert.deepEqual([event?.about.name, event?.type, event?.reason], ['hostnic-cfg-cm', 'Normal', 'Served']);
  }
  config('hostnic-cfg-cm', cni({ hairpin: false, natMark: '0x20000' }));
  config('hostnic-ipam-config', { ipam: JSON.stringify({ Default: ['vxnet-1'], shop: [blockOf(64)] }) });
  await pass(3000);
  assert.equal(changes(), steps.length + 1, 'these are of no node');
  await served.stop();
});

test('a mistake in what is said of nodes is refused with all the rest, by the place where it stands', async () => {
  const { pass, config, serve, said, changes } = hostnicCluster();
  const served = serve();
  await pass(3000);
  const before = served.nodeSettings();
  const tooMany = Array.from({ length: 257 }, (_, i) => `10.${i % 256}.${i >> 8}.0/24`).join();
  for (const [wrong, why] of [
    [{ serviceCIDR: '10.96.0.0/16, 10.97/16' }, /hostnic-cfg-cm .*serviceCIDR must be a block such as .* not " 10\.97\/16"/],
    [{ serviceCIDR: ['10.96.0.0/16'] }, /serviceCIDR must be a text/],
    [{ serviceCIDR: tooMany }, /hostnic-cfg-cm serviceCidrs .*256/],
    [{ logLevel: 'chatty' }, /logLevel is no level: "chatty": write debug, info, warn or error/],
    [{ mtu: 600 }, /mtu must be a whole number from 1280 to 65535, not 600/],
    [{ natMark: 'ten' }, /natMark must be a mark such as 0x10000, not "ten"/],
    [{ hostNicType: 'ipvlan' }, /hostNicType must be veth or passthrough, not "ipvlan"/],
  ] as const) {
    said.length = 0;
    config('hostnic-cfg-cm', cni({ mtu: 1300, ...wrong }));
    await pass(3000);
    assert.deepEqual([served.nodeSettings(), changes()], [before, 1], 'also what is right in it waits');
    const [event] = said;
    assert.deepEqual([event?.about.name, event?.type, event?.reason], ['hostnic-cfg-cm', 'Warning', 'Refused']);
    assert.match(event?.note ?? '', /\(FP506\): ConfigMap kube-system\/hostnic-cfg-cm /);
    assert.match(event?.note ?? '', why);
  }
  await served.stop();
});

test('what only the controller’s own configuration decides is not taken from there while it runs, and a change says so', async () => {
  const { pass, config, serve, said, changes } = hostnicCluster();
  const clusterIs = (of: Record<string, unknown>): void => config('clusterconfig', { 'qingcloud.yaml': JSON.stringify(of) });
  clusterIs({ zone: 'pek3a', clusterID: 'cl-1', securityGroup: 'sg-1', userID: 'usr-1' });
  const served = serve();
  await pass(3000);
  assert.deepEqual(
    said.filter(({ type }) => type === 'Warning'),
    [],
  );
  clusterIs({ zone: 'pek3b', clusterID: 'cl-1' });
  await pass(3000);
  const event = said.find(({ reason }) => reason === 'NotHeeded');
  assert.deepEqual([event?.about.name, event?.type], ['clusterconfig', 'Warning']);
  assert.match(
    event?.note ?? '',
    /not heeded: cloud\.zone, cloud\.securityGroup; the controller goes on with what its ControllerConfig says/,
  );
  assert.equal(changes(), 1, 'it is no affair of nodes');
  await pass(20_000);
  assert.equal(said.filter(({ reason }) => reason === 'NotHeeded').length, 1);
  await served.stop();
});

test('nodes are told what is known, and keep it under a new leader as long as that does not know, until nothing is said any more', async () => {
  const one = bench();
  const instance = one.cloud.launch('i-1', one.cloud.addSubnet('subnet-a', '10.20.0.0/24'));
  one.subnets = [subnet('pods', { cloudSubnet: 'subnet-a', default: true })];
  let settings: NodeSettings | undefined = { serviceCidrs: [parseCidr('10.96.0.0/16')], log: 'debug' };
  const led = async (): Promise<Controller> => {
    const running = await one.controller({ nodeSettings: () => settings });
    await one.clock.advance(2000);
    return running;
  };
  const first = await led();
  await demand(one.networks, instance, { waiting: 1 });
  await one.clock.advance(20_000);
  assert.deepEqual((await one.status()).settings, settings);
  settings = { mtu: 1400 };
  first.wake('n1');
  await one.clock.advance(2000);
  assert.deepEqual((await one.status()).settings, { mtu: 1400 });
  const writes = one.networks.statusWrites();
  first.wake('n1');
  await one.clock.advance(5000);
  assert.equal(one.networks.statusWrites(), writes, 'what is the same is not written again');
  await first.stop();

  settings = undefined;
  const second = await led();
  assert.deepEqual((await one.status()).settings, { mtu: 1400 }, 'the next one has read nothing yet');
  one.cloud.fault = () => 'loseRequest';
  await second.stop();
  const third = await led();
  assert.deepEqual((await one.status()).settings, { mtu: 1400 }, 'nor does a cloud answer');
  settings = { log: 'warn' };
  third.wake('n1');
  await one.clock.advance(60_000);
  assert.deepEqual((await one.status()).settings, { log: 'warn' }, 'no cloud is needed for that');
  settings = {};
  third.wake('n1');
  await one.clock.advance(60_000);
  assert.equal('settings' in (await one.status()), false);
  await third.stop();
});
