/** What an agent writes to the API server: nothing while it has addresses to spare. On a kernel of its own. */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { Grants } from '../../src/agent/grants.ts';
import { Pools } from '../../src/agent/pools.ts';
import { openKernel } from '../../src/kernel/kernel.ts';
import { createLog } from '../../src/log.ts';
import { mirroredNodeNetwork } from '../../src/store/kubernetes/mirrored-node-network.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { readNodeNetwork } from '../../src/store/kubernetes/stored-node-network.ts';
import { nodeNetworksIn } from '../../src/store/node-networks-sqlite.ts';
import { podSubnet } from '../../src/store/pod-subnet.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { config } from '../errors/support.ts';
import { testNetns } from '../kernel/namespace.ts';
import { memoryKube } from '../store/memory-kube.ts';
import { stateDir } from '../store/support.ts';

const log = createLog('test', 'error', () => undefined);
const at = { ...resources.nodeNetworks, name: 'n1' };
const pods = podSubnet.parse({
  apiVersion: 'flatpod.dev/v1alpha1',
  kind: 'PodSubnet',
  metadata: { name: 'pods' },
  spec: { cloudSubnet: 's', default: true, warm: { spare: 8 } },
});
const anyone = { pod: 'p', requested: [] };

/** An agent's part that talks to the controller, with ten addresses granted. Time passes by `tick`. */
async function agentPart(t: TestContext) {
  await using made = new AsyncDisposableStack();
  const ns = made.use(testNetns('quiet'));
  ns.ip('link add eth1 address 02:00:00:00:00:01 type veth peer name far');
  const kernel = made.use(openKernel([], ns.netns));
  const database = made.adopt(openDatabase(made.use(stateDir()).path), (opened) => opened.close());
  const kube = memoryKube();
  const blocks = Array.from({ length: 10 }, (_, i) => `10.0.0.${i + 10}/32`);
  const nic = { id: 'nic-1', mac: '02:00:00:00:00:01', subnet: 'pods', deviceIndex: 1, mtu: 1500, blocks };
  const facts = { cidr4: '10.0.0.0/24', gateway4: '10.0.0.1', primary4: '10.0.0.2' };
  kube.put(resources.nodeNetworks, { metadata: { name: 'n1' }, status: { instance: 'i-1', term: 1, nics: [{ ...nic, ...facts }] } });
  const store = mirroredNodeNetwork(kube, nodeNetworksIn(database), 'n1', log);
  made.defer(() => store.stop());
  for (let turn = 0; turn < 8; turn++) await nextTurn();
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  let grants: Grants | undefined;
  const pools = made.adopt(new Pools([], { demandChanged: (urgent) => grants?.demandChanged(urgent) }), (some) => some.stop());
  const waiting = { placed: 0 };
  const asked = { expected: () => new Map([['pods', waiting.placed]]), claims: () => [] };
  const options = {
    name: 'n1',
    config: config.config.spec,
    subnets: [pods],
    inUse: () => [],
    leased: () => [],
    podTables: { routed: [], underlay: [] },
    away: () => new Map(),
    hasKind: () => true,
  };
  grants = new Grants({ ...options, store, kernel, pools, log, pods: asked });
  made.defer(() => grants.stop());
  await grants.follow();
  const tick = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms);
    for (let turn = 0; turn < 8; turn++) await nextTurn();
  };
  await tick(300);
  const parts = made.move();
  t.after(() => parts.disposeAsync());
  const written = (): number => kube.calls.filter(({ verb }) => verb === 'patch').length;
  return { kube, pools, grants, waiting, tick, written, said: () => readNodeNetwork(kube.stored(at)).spec?.demand[0] };
}

test('ADDs write nothing to the API server while half of the spare addresses are free, and then once for all of them', async (t) => {
  const { pools, tick, written, said } = await agentPart(t);
  const before = written();
  assert.equal(said()?.inUse, 0);
  for (let i = 0; i < 6; i++) {
    await pools.lease(pods, anyone, 0);
    await tick(300);
  }
  assert.equal(written(), before);
  await pools.lease(pods, anyone, 0);
  await tick(300);
  assert.equal(written(), before + 1);
  assert.equal(said()?.inUse, 7);
});

test('Pods that the scheduler has placed here are written when there are more than addresses free', async (t) => {
  const { grants, waiting, tick, written, said } = await agentPart(t);
  const before = written();
  waiting.placed = 10;
  grants.demandChanged(true);
  await tick(300);
  assert.equal(written(), before, 'there is one for each');
  waiting.placed = 11;
  grants.demandChanged(true);
  await tick(300);
  assert.equal(written(), before + 1);
  assert.equal(said()?.waiting, 11);
});

test('what is more than numbers is written at once', async (t) => {
  const { grants, tick, written } = await agentPart(t);
  const before = written();
  grants.drain(true);
  await tick(300);
  assert.equal(written(), before + 1);
});

test('one write at a time, however slow the API server is, and one more for all that changed meanwhile', async (t) => {
  const { kube, grants, waiting, tick, written, said } = await agentPart(t);
  const before = written();
  const { promise: answers, resolve: answer } = Promise.withResolvers<void>();
  const quick = kube.patch.bind(kube);
  const begun = t.mock.method(kube, 'patch', async (...args: Parameters<typeof quick>) => {
    await answers;
    return quick(...args);
  });
  for (const placed of [11, 12, 13]) {
    waiting.placed = placed;
    grants.demandChanged(true);
    await tick(300);
  }
  assert.equal(begun.mock.callCount(), 1);
  answer();
  await tick(300);
  assert.equal(written(), before + 2);
  assert.equal(said()?.waiting, 13);
});
