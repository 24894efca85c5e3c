/** A node that the AWS plugin worked on becomes Flatpod's while its Pods live: they keep their network until they end, and nothing of them is left then. */
import assert from 'node:assert/strict';
import { DeleteTagsCommand, DescribeNetworkInterfacesCommand, type NetworkInterface } from '@aws-sdk/client-ec2';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../life/lab.ts';
import { type AwsNode, awsNode, type FormerPod } from './as-aws-node.ts';
import { type AgentNode, type Machine, type Place, scene, type Scene } from './scene.ts';

/** A node with two Pods of the AWS plugin, one on each interface, another node and a plain machine. */
interface Stage extends AsyncDisposable {
  readonly scene: Scene;
  readonly former: AwsNode;
  readonly pods: readonly [first: FormerPod, second: FormerPod];
  readonly node: AgentNode;
  readonly vm: Machine;
  /** flatpod takeover aws-node, which must succeed; what it prints. */
  takeOver(): string;
}

async function stage(spec?: string): Promise<Stage> {
  await using open = new AsyncDisposableStack();
  const at = open.use(await scene());
  const [machine, vm] = [await at.launch('node'), await at.launch('vm')];
  const former = await awsNode(at, machine);
  const [[a = ''], [b = '']] = former.addresses;
  const pods = [former.pod('web-0', a), former.pod('web-1', b)] as const;
  const node = await at.node(machine, spec);
  const file = join(node.dir, 'ipam.json');
  writeFileSync(file, former.checkpoint(...pods));
  const all = open.move();
  return {
    scene: at,
    former,
    pods,
    node,
    vm,
    takeOver() {
      const { status, stdout, stderr } = node.flatpod('takeover', 'aws-node', '--checkpoint', file);
      assert.equal(status, 0, stdout + stderr);
      return stdout;
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Everything of the kernel that names the address or the host end. */
function leftOf({ sh }: Place, { address, hostEnd }: FormerPod): string[] {
  const lines = sh('ip -o link; ip rule; ip route show table all; ip neigh; nft list ruleset').split('\n');
  return lines.filter((line) => line.includes(hostEnd) || new RegExp(`${address.replaceAll('.', '\\.')}(?![0-9])`).test(line));
}

test('Pods of the AWS plugin, taken over before the agent starts, reach and are reached as before, beside new ones', async () => {
  await using on = await stage();
  const { scene: at, node, vm, pods } = on;
  const other = await at.node(await at.launch('other'));
  assert.match(
    on.takeOver(),
    /taken over {2}default\/web-0 \(10\.20\.0\.\d+\)\ntaken over {2}default\/web-1 .*\n2 Pods of aws-node keep .*no agent runs/,
  );
  await Promise.all([node.start(), other.start()]);
  const [here, there] = [at.container(), at.container()];
  const [newHere, newThere] = [await node.add(here), await other.add(there)];
  assert.ok(!pods.some(({ address }) => address === newHere || address === newThere));
  for (const pod of pods) {
    for (const [place, address] of [
      [here, newHere],
      [there, newThere],
      [vm, vm.address],
      [node.machine, node.machine.address],
    ] as const) {
      assert.equal(await at.seen(pod, address, place), pod.address, `${pod.name} to ${address}`);
      assert.equal(await at.seen(place, pod.address, pod), address, `${address} to ${pod.name}`);
    }
  }
  assert.equal(await at.seen(pods[0], pods[1].address, pods[1]), pods[0].address);
  assert.equal(await at.seen(here, newThere, there), newHere);
});

test('Services, node ports and the internet work for Pods of both plugins on one node', async () => {
  await using on = await stage();
  const { scene: at, node, vm, pods } = on;
  const web = await at.internet();
  on.takeOver();
  await node.start();
  const fresh = at.container();
  const address = await node.add(fresh);
  const dnat = (match: string, to: string): string =>
    node.machine.sh(`iptables -t nat -I PREROUTING -p tcp ${match} -j DNAT --to-destination ${to}:8080`);
  for (const [i, target] of [...pods, { address, ...fresh }].entries()) {
    dnat(`-d 10.96.0.${i + 1} --dport 80`, target.address);
    dnat(`-d ${node.machine.address} --dport ${30_080 + i}`, target.address);
    for (const from of [...pods, { ...fresh, address }].filter(({ netns }) => netns !== target.netns))
      assert.equal(await at.seen(from, `10.96.0.${i + 1}`, target, 80), from.address, `${from.address} by a Service to ${target.address}`);
    assert.equal(await at.seen(vm, node.machine.address, target, 30_080 + i), vm.address, `node port to ${target.address}`);
    assert.equal(await at.seen(target, web.address, web), node.machine.publicAddress, `${target.address} to the internet`);
  }
});

test('a DEL by our configuration ends such a Pod: nothing of it is left in the kernel, and its address rests', async () => {
  await using on = await stage();
  const { node, pods } = on;
  const [first, second] = pods;
  on.takeOver();
  await node.start();
  assert.notDeepEqual(leftOf(node.machine, second), []);
  // What the plugin has made twice, it would leave behind.
  node.machine.sh(`ip rule add pref 1536 from ${second.address} lookup 3`);
  assert.equal((await node.call('CHECK', second, { prevResult: resultOf(second) })).status, 0);
  const { status, stdout } = await node.call('DEL', second, { prevResult: resultOf(second) });
  assert.equal(status, 0, stdout);
  assert.deepEqual(leftOf(node.machine, second), []);
  assert.match(node.flatpod('ip', second.address).stdout, /cooling|rests/);
  assert.notDeepEqual(leftOf(node.machine, first), [], 'the other one keeps what it has');
  assert.equal((await node.call('DEL', second)).status, 0, 'and again');
  await eventually('the report has the other one alone', async () => (await node.report()).pods.length === 1);
});

/** What the AWS plugin answered to ADD, and libcni keeps. */
function resultOf({ address, hostEnd, netns }: FormerPod): object {
  const interfaces = [{ name: hostEnd }, { name: 'eth0', sandbox: netns, mac: '2' }, { name: 'dummy0123456789a', mac: '0', sandbox: '0' }];
  return { cniVersion: '0.4.0', interfaces, ips: [{ version: '4', interface: 1, address: `${address}/32` }] };
}

test('told to an agent that runs, taken over again, after a restart: the same Pods, and what somebody removes is put back', async () => {
  await using on = await stage();
  const { scene: at, node, vm, pods } = on;
  await node.start();
  assert.match(on.takeOver(), /taken over .*web-0.*\n.*web-1.*\n.*the agent has them/);
  assert.match(on.takeOver(), /known .*web-0.*\nknown .*web-1/);
  await node.kill();
  await node.start();
  const { pods: known } = await node.report();
  assert.deepEqual(known.map(({ pod, state, alive }) => `${pod} ${state} ${alive}`).toSorted(), [
    'default/web-0 of aws-node true',
    'default/web-1 of aws-node true',
  ]);
  node.machine.sh(`ip rule del pref 512 to ${pods[1].address} lookup main; ip route del ${pods[1].address}/32`);
  await eventually('the Pod is reached again', async () => (await at.seen(vm, pods[1].address, pods[1])) === vm.address);
  await eventually('the rule is there again', () => /put back rule 512: to /.test(node.log()));
});

test('a Pod that ends without a DEL is noticed by its namespace, and cleaned up after', async () => {
  await using on = await stage('{sweepEvery_s: 1, sweepGrace_s: 1}'.slice(1, -1).replaceAll(', ', '\n  '));
  const { node, pods } = on;
  on.takeOver();
  await node.start();
  pods[1].sh(`ip netns del ${pods[1].id}`);
  await eventually('it is swept', () => /swept .*: its namespace .* is gone and no DEL came/.test(node.log()), 60);
  assert.deepEqual(leftOf(node.machine, pods[1]), []);
  assert.notDeepEqual(leftOf(node.machine, pods[0]), []);
});

test('of Pods that are gone only rules are removed, and one that no record names is taken over by its link', async () => {
  await using on = await stage();
  const { scene: at, former, node, pods } = on;
  const gone = former.pod('gone', former.addresses[0][1] ?? '');
  const unnamed = former.pod('unnamed', former.addresses[1][1] ?? '');
  gone.sh('ip link del eth0');
  const file = join(node.dir, 'other.json');
  writeFileSync(file, former.checkpoint(...pods, gone));
  const { status, stdout } = node.flatpod('takeover', 'aws-node', '--checkpoint', file);
  assert.equal(status, 0);
  assert.match(stdout, new RegExp(`taken over {2}container ${unnamed.hostEnd} \\(${unnamed.address.replaceAll('.', '\\.')}\\)`));
  assert.match(stdout, /gone {8}default\/gone/);
  assert.deepEqual(leftOf(node.machine, gone), []);
  await node.start();
  assert.equal((await node.report()).pods.length, 3);
  assert.equal(await at.seen(on.vm, unnamed.address, unnamed), on.vm.address);
});

test('once the tags are off, its first interface serves new Pods too: with new addresses, never with one of those that the AWS plugin assigned', async () => {
  await using on = await stage('cooldown_s: 0');
  const { scene: at, former, node, pods } = on;
  const { ec2 } = at.bed;
  const [theirs] = former.addresses;
  on.takeOver();
  await node.start();
  // By then the controller within the agent has seen the interface with its tags.
  const before = await node.add(at.container());
  const filter = { Filters: [{ Name: 'addresses.private-ip-address', Values: [theirs[0] ?? ''] }] };
  const read = async (): Promise<NetworkInterface> =>
    (await ec2.send(new DescribeNetworkInterfacesCommand(filter))).NetworkInterfaces?.[0] ?? {};
  const { NetworkInterfaceId = '' } = await read();
  await ec2.send(new DeleteTagsCommand({ Resources: [NetworkInterfaceId], Tags: [{ Key: 'node.k8s.amazonaws.com/instance_id' }] }));
  // It looks at everything when it starts, and then every few minutes.
  await node.kill();
  await node.start();
  const got = [before];
  for (let i = 0; i < 3; i++) got.push(await node.add(at.container()));
  const assigned = new Set((await read()).PrivateIpAddresses?.map(({ PrivateIpAddress }) => PrivateIpAddress));
  assert.ok(
    got.some((address) => assigned.has(address)),
    'the first interface serves',
  );
  assert.ok(theirs.every((address) => assigned.has(address) && !got.includes(address)));
  assert.equal((await node.call('DEL', pods[0])).status, 0);
  assert.match(
    (await node.call('ADD', at.container())).stdout,
    /growth stopped by the instance/,
    'its address is not ours to give now either',
  );
});
