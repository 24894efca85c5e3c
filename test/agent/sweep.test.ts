/** The sweep believes that a Pod is gone only when the same sign was there in every round for the grace time, and never touches what no kubelet asked for. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { Locks } from '../../src/agent/locks.ts';
import type { NodeAgent } from '../../src/agent/node-agent.ts';
import { sandboxList } from '../../src/agent/sandbox-list.ts';
import { noSigns, sweep } from '../../src/agent/sweep.ts';
import { readAttachedInterface } from '../../src/datapath/stored.ts';
import { openKernel } from '../../src/kernel/kernel.ts';
import { createLog } from '../../src/log.ts';
import { openAttachments } from '../../src/store/attachments.ts';
import type { PodIdentity } from '../../src/store/pod-identity.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { refuse, reply, runtimeServer, sandboxList as listOf } from '../cri/server.ts';
import { testNetns } from '../kernel/namespace.ts';

const grace_ms = 60_000;
/** Later than any starting sandbox is waited for: attachments here are made at 0. */
const LATER = 1_000_000;
const kubelets: PodIdentity = { namespace: 'default', name: 'web', uid: 'u1' };

/** A node without a cloud, with attachments c0, c1, … of these Pods. */
interface SweptNode extends Disposable {
  readonly node: NodeAgent;
  readonly log: string[];
  /** Containers that are attached still. */
  left(): string[];
}

function nodeWith(pods: readonly { readonly netns: string; readonly pod?: PodIdentity; readonly hostEnd?: string }[]): SweptNode {
  const dir = mkdtempSync('/tmp/fpt-sweep-');
  const kernel = openKernel();
  const database = openDatabase(dir);
  const attachments = openAttachments(database, readAttachedInterface);
  for (const [i, { netns, pod = {}, hostEnd = `fptsweep${i}` }] of pods.entries()) {
    const mac = `02:00:00:00:00:0${i}`;
    const ends = { netns, ifname: 'eth0', mac, hostEnd, hostMac: mac, mtu: 1500, owner: 'x' };
    const one = { datapath: 'routed-veth', ...ends, addresses: [`192.0.2.${i}`], podTable: 7000, protocol: 114 };
    const row = { container: `c${i}`, ifname: 'eth0', network: 'n', pod, netns, subnet: 's', nic: 'nic', created_ms: 0 } as const;
    attachments.open({ ...row, state: 'ready', interface: readAttachedInterface(one) });
  }
  const log: string[] = [];
  return {
    node: {
      kernel,
      database,
      attachments,
      interrupted: new Set(),
      locks: new Locks(),
      log: createLog('test', 'info', (line) => log.push(line)),
      cloud: undefined,
    },
    log,
    left: () => attachments.list().map(({ container }) => container),
    [Symbol.dispose]() {
      database.close();
      kernel[Symbol.dispose]();
      rmSync(dir, { recursive: true });
    },
  };
}

test('an attachment whose namespace stays gone is released after the grace time; one that lives, or is in use by a verb, is not', async () => {
  using ns = testNetns('sweep');
  using swept = nodeWith([{ netns: `${ns.path}-gone` }, { netns: ns.path }]);
  const signs = noSigns();
  const at = (now: number) => sweep(swept.node, signs, { now, grace_ms, listed: undefined });
  await at(0);
  await at(59_999);
  assert.equal(swept.left().length, 2, 'not yet');
  const held = await swept.node.locks.take('c0/eth0');
  await at(60_000);
  assert.equal(swept.left().length, 2, 'a verb is at work on it');
  held[Symbol.dispose]();
  await at(60_000);
  assert.deepEqual(swept.left(), ['c1']);
  assert.match(swept.log.join(''), /swept c0\/eth0: its namespace .*-gone is gone and no DEL came/);
});

test('a Pod that the runtime does not list for the grace time is released although its namespace lives; listed ones and those of other clients are not', async () => {
  using ns = testNetns('sweep');
  using swept = nodeWith([
    { netns: ns.path, pod: kubelets },
    { netns: ns.path, pod: kubelets },
    { netns: ns.path, pod: { name: 'podman' } },
    { netns: ns.path, pod: {} },
  ]);
  const signs = noSigns();
  const at = (now: number, listed: readonly string[] | undefined) =>
    sweep(swept.node, signs, { now, grace_ms, listed: listed && new Set(listed) });
  await at(LATER, ['c1']);
  await at(LATER + 59_999, ['c1']);
  assert.equal(swept.left().length, 4, 'not yet');
  await at(LATER + 60_000, ['c1']);
  assert.deepEqual(swept.left(), ['c1', 'c2', 'c3']);
  assert.match(swept.log.join(''), /swept c0\/eth0: the container runtime has no such sandbox and no DEL came/);
});

test('of Pods that a former plugin made, one whose container nobody could name is no Pod that the runtime does not list', async () => {
  using ns = testNetns('sweep');
  using swept = nodeWith([]);
  for (const [i, container] of ['c1', 'eni2'].entries()) {
    const hostEnd = { link: `eni${i + 1}`, mac: `02:00:00:00:00:1${i}` };
    const more = { netns: ns.path, ifname: 'eth0', addresses: [`192.0.2.1${i}`], hostEnd, routes: [], rules: [] };
    const own = readAttachedInterface({ datapath: 'adopted', madeBy: 'aws-node', ...more });
    const row = { container, ifname: 'eth0', network: '', pod: {}, netns: ns.path, subnet: '', nic: '', created_ms: 0 } as const;
    swept.node.attachments.open({ ...row, state: 'ready', interface: own });
  }
  const signs = noSigns();
  for (const now of [LATER, LATER + 60_000, LATER + 600_000]) await sweep(swept.node, signs, { now, grace_ms, listed: new Set(['other']) });
  assert.deepEqual(swept.left(), ['eni2']);
});

test('a round in which the runtime did not answer, or listed the Pod, begins the grace time anew', async () => {
  using ns = testNetns('sweep');
  using swept = nodeWith([{ netns: ns.path, pod: kubelets }]);
  const signs = noSigns();
  for (const between of [undefined, new Set(['c0'])]) {
    for (const [now, listed] of [
      [LATER, new Set<string>()],
      [LATER + 59_000, between],
      [LATER + 61_000, new Set<string>()],
      [LATER + 120_999, new Set<string>()],
    ] as const)
      await sweep(swept.node, signs, { now, grace_ms, listed });
    assert.deepEqual(swept.left(), ['c0']);
    signs.sandbox.clear();
  }
});

test('a Pod that is younger than five grace times may be starting, so that no list has it yet, and is kept', async () => {
  using ns = testNetns('sweep');
  using swept = nodeWith([{ netns: ns.path, pod: kubelets }]);
  const signs = noSigns();
  const at = (now: number) => sweep(swept.node, signs, { now, grace_ms, listed: new Set() });
  await at(1);
  await at(299_999);
  assert.deepEqual(swept.left(), ['c0']);
  await at(300_000);
  assert.deepEqual(swept.left(), []);
});

test('an attachment that cannot be released is said, keeps no other from it, and is tried again', async () => {
  using ns = testNetns('sweep');
  using swept = nodeWith([{ netns: `${ns.path}-gone` }, { netns: `${ns.path}-gone` }]);
  let refusals = 1;
  const kernel: NodeAgent['kernel'] = {
    ...swept.node.kernel,
    remove: (plan) => (refusals-- > 0 ? Promise.reject(new Error('not now')) : swept.node.kernel.remove(plan)),
  };
  const signs = noSigns();
  const at = (now: number) => sweep({ ...swept.node, kernel }, signs, { now, grace_ms, listed: undefined });
  await at(0);
  await at(60_000);
  assert.deepEqual(swept.left(), ['c0']);
  assert.match(swept.log.join(''), /c0\/eth0 was not swept, and is tried again later: .*not now/);
  await at(60_000);
  assert.deepEqual(swept.left(), []);
});

test('a silent runtime lists nothing and is said once, and once more when it answers; one that refuses is no empty list', async () => {
  let refuses = false;
  await using server = await runtimeServer(({ stream }) =>
    refuses ? refuse(stream, 2, 'server is not initialized yet') : reply(stream, listOf(['a'], ['b'])),
  );
  const lines: string[] = [];
  const list = sandboxList(
    server.socket,
    createLog('test', 'info', (line) => lines.push(line)),
  );
  const { signal } = new AbortController();
  assert.deepEqual(await list(signal), new Set(['a', 'b']), 'in any state');
  await server.stop();
  assert.equal(await list(signal), undefined);
  assert.equal(await list(signal), undefined);
  await server.start();
  refuses = true;
  assert.equal(await list(signal), undefined);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /no attachment is compared with the runtime's sandboxes until .*cri\.sock answers: .*FP205/);
  refuses = false;
  assert.deepEqual(await list(signal), new Set(['a', 'b']));
  assert.equal(lines.length, 2);
  assert.match(lines[1] ?? '', /answers again/);
});

test('a Pod made after the clock was set back is no older for that', async () => {
  using ns = testNetns('sweep');
  using swept = nodeWith([{ netns: ns.path, pod: kubelets }]);
  const signs = noSigns();
  const at = (now: number) => sweep(swept.node, signs, { now, grace_ms, listed: new Set(['c0']) });
  await at(LATER);
  const [first] = swept.node.attachments.list();
  assert.ok(first);
  const inside = readAttachedInterface({ ...first.interface, addresses: ['192.0.2.200'] });
  swept.node.attachments.open({ ...first, container: 'late', created_ms: 0, interface: inside });
  await at(LATER + 1);
  await at(LATER + 300_000);
  assert.deepEqual(swept.left(), ['c0', 'late'], 'it may be starting');
  await at(LATER + 300_001);
  assert.deepEqual(swept.left(), ['c0']);
});
