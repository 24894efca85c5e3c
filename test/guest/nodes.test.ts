/** Guests as nodes of the emulated VPC: the whole agent in another kernel, its NICs on the fabric here, Pods by what this machine's kernel lacks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Machine, machineOf } from '../../src/cli/demo/lab.ts';
import { eventually, testLab } from '../life/lab.ts';
import { builtKernel } from './kernels.ts';
import { metaUrl, type WiredGuest, wiredGuest } from './wired.ts';

// An agent that the VPC did not answer at first, since its line came late on a busy machine, asks again after ever longer pauses.
const ready_s = 180;

/** Starts the agent in the guest, and waits for its first address. */
async function startAgent(wired: WiredGuest, machine: Machine, subnet: string, spec: string): Promise<void> {
  const { guest } = wired;
  await guest.sh(`cat > /run/node.yaml <<'END'
apiVersion: flatpod.dev/v1alpha1
kind: NodeConfig
metadata: {name: ${machine.name}}
spec: {node: ${machine.name}, instance: ${machine.id}, cloud: {type: vpc, endpoint: '${metaUrl}'}}
---
apiVersion: flatpod.dev/v1alpha1
kind: PodSubnet
metadata: {name: pods}
spec: {cloudSubnet: ${subnet}, default: true, ${spec}}
END
(bin/flatpod agent --config /run/node.yaml > /run/agent.log 2>&1 &)`);
  try {
    await eventually(
      `the agent of ${machine.name} is ready`,
      async () => {
        wired.plugNew();
        return (await cni(wired, 'STATUS')).status === 0;
      },
      ready_s,
    );
  } catch (error) {
    throw new Error(`${String(error)}\n${await guest.sh('tail -20 /run/agent.log; ip -d addr')}`, { cause: error });
  }
}

interface Attached {
  readonly pod: string;
  readonly address: string;
  /** What ADD answered. */
  readonly result: unknown;
}

async function cni({ guest }: WiredGuest, verb: string, pod = '', prevResult?: unknown): Promise<{ status: number; output: string }> {
  const env = {
    CNI_COMMAND: verb,
    CNI_PATH: '/',
    ...(pod !== '' && { CNI_CONTAINERID: pod, CNI_NETNS: `/run/netns/${pod}`, CNI_IFNAME: 'eth0' }),
  };
  const config = JSON.stringify({ cniVersion: '1.1.0', name: 'net', type: 'flatpod', prevResult });
  return guest.run(['sh', '-c', 'echo "$1" | dist/cni/flatpod', 'sh', config], { env });
}

/** Makes a Pod. */
async function add(wired: WiredGuest, pod: string): Promise<Attached> {
  await wired.guest.sh(`ip netns add ${pod}`);
  const { status, output } = await cni(wired, 'ADD', pod);
  assert.equal(status, 0, output);
  // Its shape is what this test asserts.
  const result = JSON.parse(output) as { ips: readonly { address: string }[] };
  return { pod, address: result.ips[0]?.address.split('/')[0] ?? '', result };
}

for (const [datapath, shown] of [
  ['ipvlan', /ipvlan .*mode l2/],
  ['branch', /vlan protocol 802.1Q/],
] as const) {
  test(`Pods by ${datapath} of two guests reach each other, their node, a VM, and are reached; DEL leaves nothing`, async (t) => {
    const kernel = builtKernel();
    if (kernel === undefined) {
      t.skip('no guest kernel with nftables is built: make guest');
      return;
    }
    await using lab = await testLab({
      plan: {
        subnets: { nodes: { cidr4: '10.20.0.0/24' }, pods: { cidr4: '10.20.1.0/24' } },
        machines: { g1: { subnet: 'nodes' }, g2: { subnet: 'nodes' }, vm: { subnet: 'pods' } },
      },
      agents: {},
    });
    const socket = lab.url.slice('unix:'.length);
    const vm = machineOf(lab.lab, 'vm');
    const machines = [machineOf(lab.lab, 'g1'), machineOf(lab.lab, 'g2')];
    await using open = new AsyncDisposableStack();
    const nodes: WiredGuest[] = [];
    for (const machine of machines) {
      const node = open.use(await wiredGuest(machine, socket, kernel));
      await startAgent(node, machine, lab.lab.subnets.get('pods')?.id ?? '', `datapath: ${datapath}`);
      nodes.push(node);
    }
    const [one, two] = nodes;
    assert.ok(one !== undefined && two !== undefined);
    const [a1, a2, b1] = [await add(one, 'p1'), await add(one, 'p2'), await add(two, 'q1')];
    assert.match(await one.guest.sh('ip -n p1 -d link show eth0'), shown);
    const reached: [string, string][] = [
      ['its sibling', a2.address],
      ['another node’s Pod', b1.address],
      ['a VM of the subnet', vm.addresses[0] ?? ''],
      ['its own node', machines[0]?.addresses[0] ?? ''],
      ['another node', machines[1]?.addresses[0] ?? ''],
    ];
    // A guest is a process: one that the machine holds up for three seconds answers no question of who has its address.
    const reaches = (from: WiredGuest, who: string, ping: string): Promise<string> => eventually(who, () => from.guest.sh(ping), 60);
    for (const [who, address] of reached) await reaches(one, who, `ip netns exec p1 ping -c 1 -W 5 ${address}`);
    await reaches(two, 'another node’s Pod, and back', `ip netns exec q1 ping -c 1 -W 5 ${a1.address}`);
    await reaches(two, 'a node its own Pod', `ping -c 1 -W 5 ${b1.address}`);
    for (const { pod, result } of [a1, a2]) {
      const check = await cni(one, 'CHECK', pod, result);
      assert.equal(check.status, 0, check.output);
      assert.equal((await cni(one, 'DEL', pod)).status, 0);
    }
    assert.doesNotMatch(await one.guest.sh('ip -n p1 link; ip -n p2 link'), /eth0|node0/);
  });
}
