/** A host and Pods as namespaces, and what the verbs of veth-to-host work with, in this process. */
import { parseVethToHost, type VethToHostAttachment } from '../../src/cni/veth-to-host-request.ts';
import type { ChainNode } from '../../src/agent/veth-to-host/chain-node.ts';
import { Locks } from '../../src/agent/locks.ts';
import { openKernel } from '../../src/kernel/kernel.ts';
import { createLog } from '../../src/log.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { type TestNetns, testNetns } from '../kernel/namespace.ts';
import { stateDir } from '../store/support.ts';

/** See the head of this file. */
export interface Bench extends Disposable {
  readonly node: ChainNode;
  readonly host: TestNetns;
  /** A Pod with eth0, 10.60.0.LAST. */
  pod(last: number): TestNetns;
}

/** A host with eth0, 10.60.0.1. */
export function openBench(): Bench {
  using open = new DisposableStack();
  const host = open.use(testNetns('host'));
  host.exec('ip link set lo up; ip link add eth0 type bridge; ip link set eth0 up; ip addr add 10.60.0.1/24 dev eth0');
  const database = open.use(openDatabase(open.use(stateDir()).path));
  const node = { kernel: open.use(openKernel([], host.netns)), database, locks: new Locks(), log: createLog('test', 'error') };
  const all = open.move();
  return {
    node,
    host,
    pod(last) {
      const pod = all.use(testNetns('pod'));
      pod.exec(`ip link add eth0 type bridge; ip link set eth0 up; ip addr add 10.60.0.${last}/24 dev eth0`);
      return pod;
    },
    [Symbol.dispose]: () => all.dispose(),
  };
}

/** An ADD for that Pod, whose container is called after its namespace. */
export function addRequest(pod: TestNetns, last: number, config: Record<string, unknown> = {}): VethToHostAttachment {
  const variables = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: pod.name, CNI_IFNAME: 'eth0', CNI_NETNS: pod.path };
  const prevResult = {
    cniVersion: '1.0.0',
    interfaces: [{ name: 'eth0', sandbox: pod.path }],
    ips: [{ address: `10.60.0.${last}/24`, interface: 0 }],
  };
  const stdin = {
    cniVersion: '1.0.0',
    name: 'office',
    type: 'veth-to-host',
    hostInterface: 'eth0',
    containerInterface: 'veth0',
    prevResult,
    ...config,
  };
  const request = parseVethToHost(new Map(Object.entries(variables)), Buffer.from(JSON.stringify(stdin)));
  if (request.verb !== 'add') throw new TypeError(request.verb);
  return request;
}
