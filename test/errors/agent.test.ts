/** Each refusal of the agent leads to the error made for it: verbs on a node that was put together here, the socket, the command's questions. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { add } from '../../src/agent/add.ts';
import { check } from '../../src/agent/check.ts';
import { drain } from '../../src/agent/drain.ts';
import { openExchange } from '../../src/agent/exchange.ts';
import { gc } from '../../src/agent/gc.ts';
import { type Exchange, listen, type Listening } from '../../src/agent/listen.ts';
import { Locks } from '../../src/agent/locks.ts';
import type { CloudPart, NodeAgent } from '../../src/agent/node-agent.ts';
import { podInterface } from '../../src/agent/pod-interface.ts';
import { Pools } from '../../src/agent/pools.ts';
import { answerQuestion } from '../../src/agent/questions.ts';
import { status } from '../../src/agent/status.ts';
import { askAgent } from '../../src/cli/ask.ts';
import { encodeReply } from '../../src/cni/frame.ts';
import { drain as drainCommand } from '../../src/cli/drain.ts';
import type { NicId } from '../../src/cloud/cloud.ts';
import { readAttachedInterface } from '../../src/datapath/stored.ts';
import { openKernel } from '../../src/kernel/kernel.ts';
import { createLog } from '../../src/log.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { parseMac } from '../../src/net/mac.ts';
import { openAttachments } from '../../src/store/attachments.ts';
import type { GrantedNic, NodeNetworkStatus } from '../../src/store/node-network.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { testNetns } from '../kernel/namespace.ts';
import { config, good, subnet } from './support.ts';

const nic: GrantedNic = {
  id: 'nic-1' as NicId, // the cloud's own word in these tests
  mac: parseMac('02:00:00:00:00:01'),
  subnet: 'a',
  deviceIndex: 1,
  mtu: 1500,
  blocks: [parseCidr('10.0.0.1/32')],
  reclaiming: [],
};

/** For an answer that comes at once: this process, which gives it, may be held up. */
const LIMIT_ms = 60_000;

/** A node with a database and the kernel of this process, which none of these tests changes. */
interface TestNode extends NodeAgent, Disposable {
  readonly dir: string;
  /** Notes an attachment of c1, eth0 in that namespace, answered, that the kernel knows nothing of. */
  attached(netns: string): void;
  /** From now on the disk is gone. */
  closeDatabase(): void;
}

function testNode(cloud?: CloudPart): TestNode {
  const dir = mkdtempSync(join(tmpdir(), 'flatpod-errors-'));
  const database = openDatabase(dir);
  const kernel = openKernel();
  const attachments = openAttachments(database, readAttachedInterface);
  return {
    dir,
    kernel,
    database,
    attachments,
    interrupted: new Set(),
    locks: new Locks(),
    log: createLog('test', 'error', () => undefined),
    cloud,
    attached(netns) {
      const wish = { container: 'c1', ifname: 'eth0', netns, mac: undefined, mtu: undefined };
      const made = podInterface(wish, { datapath: 'routed-veth' }, { nic, link: 'eth0' }, [parseIp('10.0.0.1')], {
        numbers: config.config.spec.numbers,
        viaNode: [],
      });
      const names = { container: 'c1', ifname: 'eth0', network: 'pods', netns, subnet: 'a', nic: nic.id };
      attachments.open({ ...names, pod: { namespace: 'default', name: 'web' }, state: 'opening', created_ms: 1, interface: made });
      attachments.answered('c1', 'eth0');
    },
    closeDatabase: () => database.close(),
    [Symbol.dispose]() {
      kernel[Symbol.dispose]();
      if (database.isOpen) database.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** What a node knows of its cloud when the controller's last word was this. */
function cloudPart(granted: NodeNetworkStatus | undefined, subnets = config.subnets): CloudPart {
  const drained = { begun: false };
  return {
    name: 'node',
    hasKind: () => true,
    config: config.config.spec,
    pools: new Pools(subnets, { demandChanged: () => undefined }),
    grants: {
      subnets,
      nics: [],
      status: granted,
      plan: [],
      viaNode: [],
      demandChanged: () => undefined,
      get draining() {
        return drained.begun ? 'leaving' : undefined;
      },
      drain: (begin) => void (drained.begun = begin),
      leave: () => [],
      stop: () => undefined,
    },
  };
}
const nothingYet: NodeNetworkStatus = { vpcCidrs: [], nics: [], growth: [] };

test('ADD and STATUS without a configuration: FP123 notConfigured', async () => {
  using node = testNode();
  await assert.rejects(add(node, good('add')), { kind: 'notConfigured' });
  assert.throws(() => status(node), { kind: 'notConfigured' });
});

test('STATUS before the controller has granted an address, and ADD while the node drains: FP124 notReady', async () => {
  using silent = testNode(cloudPart(undefined));
  assert.throws(() => status(silent), { kind: 'notReady', message: /has not granted anything/ });
  const cloud = cloudPart(nothingYet);
  using poor = testNode(cloud);
  assert.throws(() => status(poor), { kind: 'notReady', details: 'a: waiting for addresses; b: waiting for addresses' });
  cloud.grants.drain(true);
  assert.throws(() => status(poor), { kind: 'notReady', message: /draining/ });
  await assert.rejects(add(poor, good('add')), { kind: 'notReady', message: /draining/ });
});

test('ADD for an interface that is attached: FP122 attachmentExists names its addresses', async () => {
  using ns = testNetns('exists');
  using node = testNode(cloudPart(nothingYet));
  node.attached(ns.path);
  await assert.rejects(add(node, good('add', {}, { CNI_NETNS: ns.path })), { kind: 'attachmentExists', details: 'it holds 10.0.0.1' });
});

test('ADD with an MTU that IPv6 cannot work with: FP108 configInvalid, before an address is taken', async () => {
  using ns = testNetns('mtu');
  const dual = { ...subnet('a'), spec: { ...subnet('a').spec, default: true, families: [4 as const, 6 as const] } };
  using node = testNode(cloudPart(nothingYet, [dual]));
  await assert.rejects(add(node, good('add', { mtu: 1279 }, { CNI_NETNS: ns.path })), { kind: 'configInvalid', details: /1280 or more/ });
});

test('CHECK of what nobody added: FP126 notAttached; of what the kernel does not hold: FP125 drifted', async () => {
  using ns = testNetns('drifted');
  using node = testNode();
  const request = good('check', { prevResult: {} }, { CNI_NETNS: ns.path });
  await assert.rejects(check(node, request), { kind: 'notAttached' });
  node.attached(ns.path);
  await assert.rejects(check(node, request), {
    kind: 'drifted',
    message: /of default\/web differs/,
    details: /prevResult lacks our address 10\.0\.0\.1/,
  });
});

test('GC that cannot write: FP127 gcIncomplete tells which and why', async () => {
  using ns = testNetns('gc');
  using node = testNode();
  node.attached(ns.path);
  node.closeDatabase();
  await assert.rejects(gc(node, good('gc', { 'cni.dev/valid-attachments': [] })), { kind: 'gcIncomplete', details: /c1\/eth0: / });
});

test('drain with Pods: FP200 podsAttached; when the controller does not take back: FP201 drainIncomplete, and the node serves on', async () => {
  const cloud = cloudPart({ ...nothingYet, nics: [nic] });
  using node = testNode(cloud);
  await assert.rejects(drain(node, 0), { kind: 'drainIncomplete', message: /^2 blocks and interfaces/ });
  assert.equal(cloud.grants.draining, undefined);
  using ns = testNetns('drain');
  node.attached(ns.path);
  await assert.rejects(drain(node, 0), { kind: 'podsAttached' });
});

test('a socket where another agent answers: FP128 socketTaken; one that cannot be: FP129 socketUnusable', async () => {
  using node = testNode();
  const path = join(node.dir, 'cni.sock');
  await using _first = await closing(listen(path, silence));
  await assert.rejects(listen(path, silence), { kind: 'socketTaken' });
  mkdirSync(join(node.dir, 'folder'));
  for (const bad of [join(node.dir, 'folder'), join(node.dir, 'x'.repeat(108))])
    await assert.rejects(listen(bad, silence), { kind: 'socketUnusable' });
});

test('a command without an agent: FP202 agentSilent; refused by the agent: FP203 agentRefused, with its code and words', async () => {
  using node = testNode();
  const path = join(node.dir, 'cni.sock');
  await assert.rejects(askAgent(path, 'report', LIMIT_ms), { kind: 'agentSilent' });
  const defence = { repairAll: () => [], stop: () => undefined };
  const answering = { defence, drain: (deadline_ms: number) => drain(node, deadline_ms), drained: () => undefined };
  await using _server = await closing(listen(path, () => openExchange(node, answering)));
  using ns = testNetns('refused');
  node.attached(ns.path);
  await assert.rejects(askAgent(path, 'drain', LIMIT_ms), { kind: 'agentRefused', message: /1 Pods are attached \(FP200\)/ });
  assert.match(JSON.stringify(await answerQuestion(node, answering, 'nonsense', 0)), /"code":204,.*nonsense/);
});

test('who answers a command with something else is no agent', async () => {
  using node = testNode();
  const path = join(node.dir, 'cni.sock');
  for (const stdout of ['', '7', 'null', 'Welcome!']) {
    const exchange = (): Exchange => ({ take: async () => encodeReply({ status: 0, stdout }), answered: () => undefined });
    await using _server = await closing(listen(path, exchange));
    await assert.rejects(askAgent(path, 'report', LIMIT_ms), { kind: 'agentSilent', details: /no agent of Flatpod/ }, stdout);
  }
  const odd = (): Exchange => ({ take: async () => encodeReply({ status: 1, stdout: '{"error":{"code":7}}' }), answered: () => undefined });
  await using _server = await closing(listen(path, odd));
  await assert.rejects(askAgent(path, 'report', LIMIT_ms), { kind: 'agentRefused', message: /no reason given/ });
});

test('an option that cannot be: FP204 badOption', async () => {
  for (const bad of ['soon', '-1', '3601']) await assert.rejects(drainCommand('/nowhere', bad), { kind: 'badOption' });
});

/** Never answers. */
const silence = (): Exchange => ({ take: () => undefined, answered: () => undefined });

/** The socket, closed with the scope; clients have hung up by then. */
async function closing(opening: Promise<Listening>): Promise<AsyncDisposable> {
  const server = await opening;
  return { [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(resolve)) };
}
