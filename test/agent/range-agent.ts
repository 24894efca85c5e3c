/** Agents as processes, standalone, for a range on one Ethernet. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AddressReport } from '../../src/agent/address-report.ts';
import type { NodeReport } from '../../src/agent/status-report.ts';
import { askAgent } from '../../src/cli/ask.ts';
import { type CniAnswer, cni } from '../../src/cli/demo/cni.ts';
import { type Running, start } from '../../src/cli/demo/processes.ts';
import { type TestNetns, testNetns } from '../kernel/namespace.ts';

/** For an agent that is held up. */
const ANSWER_ms = 60_000;

/** A container. */
export interface Pod {
  readonly container: string;
  readonly ns: TestNetns;
}

/** A node on the LAN, and what a runtime asks of it. */
export interface RangeAgent extends AsyncDisposable {
  start(env?: Readonly<Record<string, string>>): Promise<void>;
  readonly running: Running;
  /** Where the executable finds it, as variables. */
  readonly places: Readonly<Record<string, string>>;
  pod(): Pod;
  call(verb: 'ADD' | 'DEL', pod: Pod, config?: Readonly<Record<string, unknown>>): Promise<CniAnswer>;
  ask<T>(question: 'check' | 'repair'): Promise<T>;
  /** ADD that must succeed; its one address. */
  add(pod: Pod): Promise<string>;
  ip(address: string): Promise<AddressReport>;
  report(): Promise<NodeReport>;
}

/** An agent in that namespace for the range from 10.9.0.5 on; not started. `node`: more of its NodeConfig's spec; `range`: more of the range. */
export function agentOn(host: TestNetns, name: string, last: string, node = '', { range = '', datapath = 'macvlan' } = {}): RangeAgent {
  const open = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'fpt-range-'));
  open.defer(() => rmSync(dir, { recursive: true, force: true }));
  const [socket, config] = [join(dir, 'cni.sock'), join(dir, 'node.yaml')];
  const own = { FLATPOD_SOCKET: socket, FLATPOD_STATE: join(dir, 'state') };
  writeFileSync(
    config,
    `apiVersion: flatpod.dev/v1alpha1
kind: NodeConfig
metadata: {name: ${name}}
spec: {node: ${name}, cloud: {type: none}${node}}
---
apiVersion: flatpod.dev/v1alpha1
kind: PodSubnet
metadata: {name: pods}
spec:
  range: {parent: eth0, ipv4: {cidr: 10.9.0.0/24, first: 10.9.0.5, last: ${last}}${range}}
  datapath: ${datapath}
  default: true
  warm: {minimum: 8}
`,
  );
  let running: Running | undefined;
  open.defer(async () => running?.stop('SIGKILL'));
  let made = 0;
  const agent: RangeAgent = {
    places: own,
    get running() {
      assert.ok(running);
      return running;
    },
    async start(env = {}) {
      running = await start(dir, { name, args: ['agent', '--config', config], netns: host.path, ready: socket, env: { ...own, ...env } });
    },
    pod: () => ({ container: `${name}-${++made}`, ns: open.use(testNetns('pod')) }),
    call(verb, { container, ns }, more = {}) {
      const env = { ...own, CNI_CONTAINERID: container, CNI_NETNS: ns.path, CNI_IFNAME: 'eth0' };
      return cni({ verb, env, config: JSON.stringify({ cniVersion: '1.1.0', name: 'net', type: 'flatpod', ...more }) });
    },
    async add(pod) {
      const answer = await agent.call('ADD', pod);
      assert.equal(answer.status, 0, answer.stdout + answer.stderr);
      const { ips } = JSON.parse(answer.stdout) as { ips: { address: string }[] };
      return ips[0]?.address.split('/')[0] ?? '';
    },
    ip: (address) => askAgent(socket, 'ip', ANSWER_ms, address),
    ask: (question) => askAgent(socket, question, ANSWER_ms),
    report: () => askAgent(socket, 'report', ANSWER_ms),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
  return agent;
}
