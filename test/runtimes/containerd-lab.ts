/** What the tests with containerd have in common: the lab, and what must be left at the end, which is nothing. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../life/lab.ts';
import { programs } from '../programs.ts';
import type { Containerd, Release } from './containerd.ts';
import { exec, type Pod, runContainer } from './cri.ts';
import { type RuntimeLab, runtimeLab, type RuntimeNode } from './node.ts';

/** All that are tested. */
export const releases: readonly Release[] = ['1.6', '2.x'];

/** A node for containerd (0), another that only has Pods (1), and a plain VM. `pods` and `node`: more of node 0's PodSubnet and NodeConfig. */
export function oneAndAnother(pods = '', node = 'addressWait_s: 10'): Promise<RuntimeLab> {
  return runtimeLab({
    plan: { subnets: { a: { cidr4: '10.20.0.0/24' } }, machines: { n1: { subnet: 'a' }, n2: { subnet: 'a' }, vm: { subnet: 'a' } } },
    agents: { n1: { subnet: 'a', node: `cooldown_s: 0, ${node}`, pods }, n2: { subnet: 'a' } },
    plain: ['n2'],
  });
}

/** Removes every Pod; then nothing of one is left: not in containerd, not in the node, not in the agent. */
export async function clean(on: RuntimeNode, containerd: Containerd): Promise<void> {
  await containerd.removeAll();
  await eventually('nothing of a Pod is left', () => assert.deepEqual(on.leftovers(), []), 30);
  assert.deepEqual((await on.node.report()).pods, []);
  assert.deepEqual((await on.node.ask<{ differences: string[] }>('check')).differences, []);
}

/** A container that serves the files of that folder on port 80, and listens already; its id. */
export async function serveFiles({ socket }: Containerd, pod: Pod, folder: string): Promise<string> {
  const container = await runContainer(socket, pod, 'httpd', ['httpd', '-f', '-p', '80', '-h', folder]);
  await eventually('httpd listens', async () => (await exec(socket, container, 'busybox', 'netstat', '-ltn')).stdout.includes(':80 '));
  return container;
}

/** What a web client in that namespace gets within 20 s; '' when nothing. */
export async function fetchFrom(netns: string, url: string): Promise<Buffer> {
  const args = [`--net=${netns}`, programs.busybox(), 'timeout', '20', programs.busybox(), 'wget', '-q', '-O', '-', url];
  const client = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const parts: Buffer[] = [];
  client.stdout.on('data', (part: Buffer) => parts.push(part));
  await once(client, 'close');
  return Buffer.concat(parts);
}

/** From now on notes each call of our plugin that changes something: verb, and namespace (`-` for none). Returns a look at the notes. */
export function noteCalls(on: RuntimeNode): () => string[] {
  const [plugin, notes] = [join(on.bin, 'flatpod'), join(on.dir, 'calls')];
  const real = realpathSync(plugin);
  rmSync(plugin);
  writeFileSync(notes, '');
  writeFileSync(plugin, `#!/bin/sh\necho "$CNI_COMMAND \${CNI_NETNS:--}" >>'${notes}'\nexec '${real}'\n`, { mode: 0o755 });
  return () =>
    readFileSync(notes, 'utf8')
      .split('\n')
      .filter((line) => /^(ADD|DEL) /.test(line));
}
