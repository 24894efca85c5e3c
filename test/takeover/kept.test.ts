/** Pods of hostnic and rubble, by the kept.json of an import and by the runtime's sandboxes: taken over with no agent there, ended by our DEL. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { askAgent } from '../../src/cli/ask.ts';
import type { NodeReport } from '../../src/agent/status-report.ts';
import { type CniAnswer, cni } from '../../src/cli/demo/cni.ts';
import { type Running, start } from '../../src/cli/demo/processes.ts';
import { reply, runtimeServer, sandboxList } from '../cri/server.ts';
import { testNetns } from '../kernel/namespace.ts';
import { eventually } from '../life/lab.ts';
import { type BareNode, type BarePod, bareNode } from './bare-node.ts';
import { placeAt } from './scene.ts';

/** A runtime with sandboxes `a` (Pod default/pod-a), `b` …, the last of which is stopped. */
const runtime = (ids: readonly string[], stopped: readonly string[] = []) =>
  runtimeServer(({ stream }) => reply(stream, sandboxList(ids, stopped)));

/** The command, beside which the runtime in this process must be able to answer: not synchronously. */
async function takeOver(node: BareNode, plugin: string, kept: readonly object[], runtimeSocket: string): Promise<string> {
  const file = join(node.dir, 'kept.json');
  writeFileSync(file, JSON.stringify(kept));
  const args = ['takeover', plugin, '--kept', file, '--runtime-socket', runtimeSocket, '--node', 'n1'];
  const { status, out } = await node.flatpodBeside(...args);
  assert.equal(status, 0, out);
  return out;
}

const agentOn = ({ dir, host, env }: BareNode): Promise<Running> =>
  start(dir, { name: 'agent', args: ['agent'], netns: host.path, ready: env['FLATPOD_SOCKET'] ?? '', env });

const del = ({ env }: BareNode, container: string, netns: string): Promise<CniAnswer> =>
  cni({
    verb: 'DEL',
    env: { ...env, CNI_CONTAINERID: container, CNI_NETNS: netns, CNI_IFNAME: 'eth0' },
    config: JSON.stringify({ cniVersion: '1.0.0', name: 'flatpod', type: 'flatpod' }),
  });

const kept = (address: string, pod: string, node = 'n1'): object => ({ address, namespace: 'default', pod, node, subnet: 'pods' });

test('hostnic: Pods of this node that the runtime has are taken over; their DEL takes route, rule and veth, and nothing that others need', async () => {
  using node = bareNode();
  await using cri = await runtime(['a'], ['b']);
  const pods = [node.former('10.0.0.5'), node.former('10.0.0.6')] as const;
  for (const { address } of pods) node.host.exec(`ip rule add pref 1535 to ${address} lookup main`);
  // By its vxnet, so for all its Pods.
  node.host.exec('ip rule add pref 1536 from 10.0.0.0/24 lookup 260');
  const all = [kept('10.0.0.5', 'pod-a'), kept('10.0.0.6', 'pod-b'), kept('10.0.0.7', 'pod-c'), kept('10.0.0.8', 'pod-a', 'n2')];
  const out = await takeOver(node, 'hostnic', all, cri.socket);
  assert.match(
    out,
    /taken over {2}default\/pod-a \(10\.0\.0\.5\)\ntaken over {2}default\/pod-b \(10\.0\.0\.6\)\ngone {8}default\/pod-c \(10\.0\.0\.7\)\n2 Pods of hostnic/,
  );
  const ways = (): string[] => node.host.exec('ip route show table 7000 || true').trim().split(/\s*\n/).toSorted();
  const wayTo = ({ address, hostEnd }: BarePod): string => `${address} dev ${hostEnd} proto 114 scope link`;
  assert.deepEqual(ways(), pods.map(wayTo), 'for Pods of ours on this node');
  const agent = await agentOn(node);
  try {
    node.host.exec('ip route del 10.0.0.6 table 7000');
    await eventually('the way is put back', () => ways().length === 2);
    const { pods: known } = await askAgent<NodeReport>(node.env['FLATPOD_SOCKET'] ?? '', 'report', 60_000);
    assert.deepEqual(known.map(({ pod, alive, state }) => `${pod} ${alive} ${state}`).toSorted(), [
      'default/pod-a true of hostnic',
      'default/pod-b true of hostnic',
    ]);
    assert.equal((await del(node, 'a', pods[0].netns)).status, 0);
    const left = node.host.exec('ip rule; ip route; ip -o link');
    assert.doesNotMatch(left, new RegExp(`10\\.0\\.0\\.5|${pods[0].hostEnd}@`));
    assert.match(left, /1535:\s+from all to 10\.0\.0\.6 lookup main\n1536:\s+from 10\.0\.0\.0\/24 lookup 260/);
    assert.match(left, new RegExp(`10\\.0\\.0\\.6 dev ${pods[1].hostEnd}`));
    assert.deepEqual(ways(), [wayTo(pods[1])]);
  } finally {
    await agent.stop();
  }
});

test('FP507: a list of Pods on other nodes alone is not a success that found none: the nodes that it names are told', async () => {
  using node = bareNode();
  await using cri = await runtime(['a']);
  node.former('10.0.0.5');
  const takeOverFrom = (...entries: readonly object[]) => {
    const file = join(node.dir, 'kept.json');
    writeFileSync(file, JSON.stringify(entries));
    return node.flatpodBeside('takeover', 'hostnic', '--kept', file, '--runtime-socket', cri.socket, '--node', 'n1');
  };
  const refused = await takeOverFrom(kept('10.0.0.5', 'pod-a', 'n2'), kept('10.0.0.7', 'pod-b', 'n3'));
  assert.equal(refused.status, 1, refused.out);
  assert.match(refused.out, /nothing was taken over from hostnic: .*kept\.json names no node n1 \(FP507\)/);
  assert.match(refused.out, /its Pods are on n2, n3/);
  const many = Array.from({ length: 11 }, (_, i) => kept(`10.0.1.${i}`, `other-${i}`, `m${String(i).padStart(2, '0')}`));
  assert.match((await takeOverFrom(...many)).out, /its Pods are on m00, .*m07 and 3 others/);
  assert.deepEqual(node.attachments(), []);
  const { status, out } = await takeOverFrom();
  assert.equal(status, 0, 'a list of none is of none');
  assert.match(out, /^0 Pods of hostnic/);
});

test('an entry that names no node is the matter of the runtime, also in a list of which all else is of other nodes', async () => {
  using node = bareNode();
  await using cri = await runtime(['a']);
  node.former('10.0.0.5');
  const ofOther = kept('10.0.0.7', 'pod-b', 'n2');
  assert.match(
    await takeOver(node, 'hostnic', [ofOther, kept('10.0.0.9', 'pod-z', '')], cri.socket),
    /^0 Pods of hostnic/,
    'nor is it said to be gone: it may be anywhere',
  );
  assert.match(
    await takeOver(node, 'hostnic', [ofOther, kept('10.0.0.5', 'pod-a', '')], cri.socket),
    /taken over {2}default\/pod-a \(10\.0\.0\.5\)\n1 Pods? of hostnic/,
  );
  assert.equal(node.attachments().length, 1);
});

test('rubble: a Pod whose interface has nothing in the host is known by its namespace; at its end the address is taken from it', async () => {
  using node = bareNode();
  using lan = testNetns('lan');
  using pod = testNetns('rubble');
  await using cri = await runtime(['a']);
  pod.exec(
    `ip link add eth0 type veth peer name p0 netns ${lan.name}; ip link set eth0 up; ip addr add 10.0.0.5/24 dev eth0; ip addr add 10.9.9.9/24 dev eth0`,
  );
  assert.match(await takeOver(node, 'rubble', [kept('10.0.0.5', 'pod-a', '')], cri.socket), /taken over {2}default\/pod-a/);
  const agent = await agentOn(node);
  try {
    assert.equal((await del(node, 'a', pod.path)).status, 0);
    assert.match(placeAt(pod.path).sh('ip -4 -o addr'), /10\.9\.9\.9/);
    assert.doesNotMatch(pod.ip('-4 -o addr'), /10\.0\.0\.5/);
    assert.deepEqual(node.attachments(), []);
  } finally {
    await agent.stop();
  }
});

test('rubble: a veth that is not the Pod’s interface leads nobody there but the node: the Pod would answer by its own network', async () => {
  using node = bareNode();
  using lan = testNetns('lan');
  await using cri = await runtime(['a']);
  const pod = node.former('10.0.0.5');
  pod.sh(`ip link set eth0 name node0; ip link add eth0 type veth peer name p0 netns ${lan.name}; ip link set eth0 up
    ip addr add 10.0.0.5/24 dev eth0; ip addr del 10.0.0.5/32 dev node0`);
  assert.match(await takeOver(node, 'rubble', [kept('10.0.0.5', 'pod-a', '')], cri.socket), /taken over {2}default\/pod-a/);
  assert.match(node.host.exec('ip route'), new RegExp(`10\\.0\\.0\\.5 dev ${pod.hostEnd} scope link`), 'what it has it keeps');
  assert.equal(node.host.exec('ip route show table all proto 114'), '');
});

test('a Pod that runs, and whose namespace is not where it is looked for, is refused and not said to be gone', async () => {
  using node = bareNode();
  await using cri = await runtime(['a']);
  const file = join(node.dir, 'kept.json');
  writeFileSync(file, JSON.stringify([kept('10.0.0.5', 'pod-a')]));
  const { status, out } = await node.flatpodBeside('takeover', 'rubble', '--kept', file, '--runtime-socket', cri.socket, '--node', 'n1');
  assert.equal(status, 1, out);
  assert.match(out, /REFUSED .*container a, .*\(FP505\): the runtime says that it runs, but no namespace in .* --netns-dir/);
  assert.deepEqual(node.attachments(), []);
});
