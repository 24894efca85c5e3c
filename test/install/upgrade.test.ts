/** Installing and uninstalling on a node at work. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFileSync, copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { text } from 'node:stream/consumers';
import { type Container, eventually, type TestNode, testLab } from '../life/lab.ts';
import { built, flatpod, folders, installed } from './folders.ts';
import { keptAgent } from './kept-agent.ts';

const plan = {
  subnets: { a: { cidr4: '10.20.0.0/24' } },
  machines: { n1: { subnet: 'a', type: 'v1.small' }, vm: { subnet: 'a', type: 'v1.small' } },
};
const names = ['flatpod', 'flatpod-ipam', 'veth-to-host'];

/** Calls the executable of that folder as a runtime does, with the configuration that the installed list makes of our plugin. */
async function call(bin: string, net: string, verb: 'ADD' | 'DEL', node: TestNode, { container, netns }: Container): Promise<string> {
  // The list as it was written by the installer.
  const list = JSON.parse(readFileSync(join(net, '10-flatpod.conflist'), 'utf8')) as {
    cniVersion: string;
    name: string;
    plugins: object[];
  };
  const env = { FLATPOD_SOCKET: node.socket, FLATPOD_STATE: join(node.dir, 'state'), CNI_COMMAND: verb, CNI_PATH: bin, CNI_IFNAME: 'eth0' };
  const child = spawn(join(bin, 'flatpod'), {
    env: { ...env, CNI_CONTAINERID: container, CNI_NETNS: netns },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const status = new Promise<number | null>((done, failed) => child.once('close', done).once('error', failed));
  const runtimeConfig = { 'io.kubernetes.cri.pod-annotations': null };
  child.stdin.end(JSON.stringify({ cniVersion: list.cniVersion, name: list.name, ...list.plugins[0], runtimeConfig }));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  assert.equal(await status, 0, `${verb}: ${out} ${err}`);
  assert.equal(err, '', verb);
  return out;
}

test('Pods are added and deleted without one failure while executables and agent are replaced again and again', async () => {
  using at = folders('loopback', 'portmap');
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a', node: 'cooldown_s: 0', pods: 'warm: {minimum: 6, spare: 4}' } } });
  const node = lab.node(0);
  await using kept = await keptAgent(node);
  await eventually('the warm minimum', async () => (await node.report()).pools[0]?.held === 6);
  await installed(at);

  const work = { done: false, pods: 0 };
  const addAndDelete = async (): Promise<void> => {
    try {
      for (const of = node.container(); !work.done; work.pods++) {
        await call(at.bin, at.net, 'ADD', node, of);
        await call(at.bin, at.net, 'DEL', node, of);
      }
    } finally {
      work.done = true;
    }
  };
  const replace = async (): Promise<void> => {
    try {
      for (let version = 1; version <= 12 && !work.done; version++) {
        const from = join(at.root, `version-${version}`);
        mkdirSync(from);
        for (const name of names) copyFileSync(join(built, name), join(from, name));
        for (const name of names) appendFileSync(join(from, name), 'x'.repeat(version));
        const list = { network: 'flatpod', chain: version % 2 === 1 ? ['portmap'] : [] };
        const { steps } = await installed(at, { from, list });
        assert.deepEqual(steps, [...names.map((name) => `written bin/${name}`), 'written net.d/10-flatpod.conflist']);
        if (version % 4 === 0) await kept.end('SIGTERM');
        const before = work.pods;
        await eventually('Pods came and went meanwhile', () => work.done || work.pods > before + 3, 30);
      }
    } finally {
      work.done = true;
    }
  };
  // Each ends when one of them failed: only then may the lab go.
  const ends = await Promise.allSettled([addAndDelete(), addAndDelete(), replace()]);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  assert.equal(kept.log().match(/"msg":"ready on/g)?.length, 4, 'three agents followed the first');
  assert.deepEqual((await node.report()).pods, []);
  assert.deepEqual(await node.ask('check'), { differences: [] });
});

test('after uninstall the Pods that run are reached as before, their DEL works once there is an executable again', async () => {
  using at = folders('loopback');
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a' } } });
  const node = lab.node(0);
  const vm = lab.lab.machines.get('vm');
  assert.ok(vm);
  const socket = ['--socket', node.socket];
  // The agent is ready, so nothing is waited for.
  const done = await flatpod(['install', ...at.args, ...socket, '--wait', '20', '--json']);
  assert.equal(done.status, 0, done.out);
  const pod = node.container();
  const out = await call(at.bin, at.net, 'ADD', node, pod);
  // The shape of a success.
  const address = (JSON.parse(out) as { ips: { address: string }[] }).ips[0]?.address.split('/')[0] ?? '';
  assert.equal(await lab.seenFrom(pod.netns, vm.addresses[0] ?? '', vm.netns), address);

  const removed = await flatpod(['uninstall', ...at.args]);
  assert.equal(removed.status, 0, removed.err);
  assert.match(
    removed.out,
    /^DONE +FILE +NOTE\nremoved +\S+10-flatpod\.conflist\n(removed +\S+\n){3}note: Pods that run keep their network/,
  );
  assert.equal(await lab.seenFrom(pod.netns, vm.addresses[0] ?? '', vm.netns), address);
  assert.equal(await lab.seenFrom(vm.netns, address, pod.netns), vm.addresses[0]);
  assert.equal((await node.report()).ready, true, 'the agent is left alone');
  await installed(at);
  await call(at.bin, at.net, 'DEL', node, pod);
});
