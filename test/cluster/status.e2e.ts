/** What it costs that containerd asks every five seconds whether the network is ready (STATUS of the CNI specification), and how big the agent is: measured, not judged. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { reportOf } from './checker-views.ts';
import { processOn } from './faults-processes.ts';
import type { ClusterNode } from './node.ts';
import { sharedCluster } from './shared.ts';
import { patientStatus } from '../life/lab.ts';

const LOOK_s = 10;
const CALLS = 400;
/** Of times in /proc, on every Linux that Node.js knows (USER_HZ). */
const TICKS_PER_s = 100;

test('the cost of STATUS, as containerd asks for it, and of one by itself', async (t) => {
  const cluster = await sharedCluster();
  const node = cluster.node(0);
  const agent = processOn(node, 'agent');
  const containerd = node.machine.daemon('containerd').pid;

  const before = { agent: cpuOf_ms(agent), plugins: childrenOf_ms(containerd) };
  await sleep(LOOK_s * 1000);
  const looked = { agent: cpuOf_ms(agent) - before.agent, plugins: childrenOf_ms(containerd) - before.plugins };
  t.diagnostic(
    `in ${LOOK_s} s: agent ${looked.agent.toFixed(1)} ms for everything it does, all plugins that containerd ran ${looked.plugins} ms`,
  );

  const idle = looked.agent / LOOK_s;
  const [start, begun] = [cpuOf_ms(agent), performance.now()];
  const executable = await askMany(node);
  const spent = cpuOf_ms(agent) - start - (idle * (performance.now() - begun)) / 1000;
  t.diagnostic(`one STATUS: agent ${(spent / CALLS).toFixed(3)} ms, executable ${(executable / CALLS).toFixed(3)} ms of CPU time`);
  const pods = (await reportOf(node)).pods.length;
  t.diagnostic(`memory of the agent, with ${pods} Pods on its node and the API server's watches open: ${memoryOf_MiB(agent)} MiB`);
});

/** Asks as containerd does; the CPU time of all calls' processes in milliseconds. By a small shell: of its own it is a fifth of a millisecond a call. */
async function askMany(node: ClusterNode): Promise<number> {
  const [file] = readdirSync(node.path('/etc/cni/net.d')).filter((name) => name.endsWith('.conflist'));
  // Written by our own installer.
  const list = JSON.parse(readFileSync(node.path(`/etc/cni/net.d/${file ?? ''}`), 'utf8')) as {
    readonly name: string;
    readonly plugins: readonly [object];
  };
  const config = '/run/status.json';
  writeFileSync(node.path(config), JSON.stringify({ ...list.plugins[0], name: list.name, cniVersion: '1.1.0' }));
  // The second line of times is the children's: user and system time.
  const script = `for i in $(seq ${CALLS}); do /opt/cni/bin/flatpod <${config} || exit 1; done; times`;
  const { status, stdout, stderr } = await node.run(['dash', '-c', script], {
    // What it costs is asked, not whether the agent is held up for longer than a runtime waits.
    env: { CNI_COMMAND: 'STATUS', CNI_PATH: '/opt/cni/bin', ...patientStatus },
    limit_s: 240,
  });
  rmSync(node.path(config));
  assert.equal(status, 0, stdout + stderr);
  const parts = [...stdout.matchAll(/(\d+)m([\d.]+)s/g)].slice(-2);
  return parts.reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60_000 + Number(seconds) * 1000, 0);
}

/** Memory of a process that is resident (proc(5), VmRSS), in MiB. */
function memoryOf_MiB(pid: number): number {
  return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024);
}

/** CPU time of all threads of a process (proc(5), schedstat: nanoseconds). */
function cpuOf_ms(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const of = (thread: string): number => {
    try {
      return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    } catch {
      return 0; // a thread may end at any time
    }
  };
  return threads.reduce((sum, thread) => sum + of(thread), 0) / 1e6;
}

/** CPU time of the children that have ended (proc(5): cutime and cstime), in steps of 10 ms. */
function childrenOf_ms(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  const [cutime, cstime] = [Number(fields[13]), Number(fields[14])];
  return ((cutime + cstime) * 1000) / TICKS_PER_s;
}
