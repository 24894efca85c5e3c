/** The CNI contract through the real executable and a real agent: every version's result, addresses asked for, what CHECK and GC make of damage and lists. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { cniVersions } from '../../src/cni/versions.ts';
import { deleteNetns, NAMED } from '../../src/kernel/netns.ts';
import { type Container, eventually, type TestLab, testLab, type TestNode } from './lab.ts';

const plan = {
  subnets: { a: { cidr4: '10.20.0.0/24', cidr6: '2001:db8:20::/64' } },
  machines: { n1: { subnet: 'a', type: 'v1.large' } },
};
const oneNode = (pods: string, addressWait_s = 60): Promise<TestLab> =>
  testLab({ plan, agents: { n1: { subnet: 'a', pods, node: `cooldown_s: 0, addressWait_s: ${addressWait_s}` } }, mtu: 1400 });

/** What ADD printed. */
interface Printed {
  readonly cniVersion: string;
  readonly interfaces?: readonly { readonly name: string; readonly mac: string; readonly mtu?: number; readonly sandbox?: string }[];
  readonly ips?: readonly { readonly address: string; readonly gateway: string; readonly interface: number; readonly version?: string }[];
  readonly ip4?: { readonly ip: string; readonly gateway: string };
  readonly ip6?: { readonly ip: string };
}

const inPod = (pod: Container, ...args: string[]): string =>
  execFileSync('ip', ['-n', pod.netns.slice(NAMED.length + 1), ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

async function refusal(node: TestNode, ...call: Parameters<TestNode['call']>): Promise<{ code: number; text: string }> {
  const { status, stdout } = await node.call(...call);
  assert.equal(status, 1, stdout);
  const { code, msg, details = '' } = JSON.parse(stdout) as { code: number; msg: string; details?: string };
  return { code, text: `${msg}: ${details}` };
}

test('ADD answers in the shape of each version, the Pod has what it says, and CHECK takes that answer back', async () => {
  await using lab = await oneNode('families: [4, 6]');
  const node = lab.node(0);
  for (const cniVersion of cniVersions) {
    const pod = node.container();
    const answer = await node.call('ADD', pod, { config: { cniVersion } });
    assert.equal(answer.status, 0, `${cniVersion}: ${answer.stdout}`);
    const printed = JSON.parse(answer.stdout) as Printed;
    assert.equal(printed.cniVersion, cniVersion);
    const old = cniVersion === '0.1.0' || cniVersion === '0.2.0';
    const said = old ? [printed.ip4?.ip, printed.ip6?.ip] : (printed.ips ?? []).map(({ address }) => address);
    const real = inPod(pod, '-o', 'addr', 'show', 'dev', 'eth0', 'scope', 'global');
    assert.deepEqual(
      [...real.matchAll(/inet6? (\S+)/g)].map(([, address = '']) => (address.includes('/') ? address : `${address}/32`)).toSorted(),
      said.map(String).toSorted(),
      cniVersion,
    );
    assert.equal(old ? printed.interfaces : printed.interfaces?.[1]?.sandbox, old ? undefined : pod.netns);
    assert.equal(printed.interfaces?.[1]?.mtu, cniVersion.startsWith('1.') ? 1400 : undefined);
    assert.match(inPod(pod, 'link', 'show', 'eth0'), /mtu 1400 /);
    if (!old && cniVersion !== '0.3.0' && cniVersion !== '0.3.1') {
      const checked = await node.call('CHECK', pod, { config: { cniVersion, prevResult: printed } });
      assert.equal(checked.status, 0, `${cniVersion}: ${checked.stdout}`);
      assert.equal(checked.stdout, '', 'CHECK prints nothing');
    }
    assert.deepEqual(
      await node
        .call('DEL', pod, { config: { cniVersion, ...(!old && { prevResult: printed }) } })
        .then(({ status, stdout }) => [status, stdout]),
      [0, ''],
    );
    assert.ok(!inPod(pod, 'link').includes('eth0'));
  }
  assert.equal((await node.report()).pods.length, 0);
});

test('an address that is asked for is the one that is given, by runtimeConfig or CNI_ARGS; what is taken is refused by name', async () => {
  await using lab = await oneNode('warm: {spare: 4}');
  const node = lab.node(0);
  const pods = [node.container(), node.container(), node.container()] as const;
  // Which addresses the node holds is told by Pods that had them: without a rest they are free at once.
  const held = [...(await node.add(pods[0])), ...(await node.add(pods[1]))];
  for (const pod of pods) assert.equal((await node.call('DEL', pod)).status, 0);
  const [first = '', second = ''] = held;
  assert.deepEqual(await node.add(pods[0], { config: { capabilities: { ips: true }, runtimeConfig: { ips: [`${second}/32`] } } }), [
    second,
  ]);
  assert.deepEqual(await node.add(pods[1], { env: { CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAME=web-0;IP=${first}` } }), [first]);
  const taken = await refusal(node, 'ADD', pods[2], { env: { CNI_ARGS: `IgnoreUnknown=1;IP=${first}` } });
  assert.match(taken.text, new RegExp(`${first.replaceAll('.', '\\.')}.*\\(FP131\\)`));
  const report = await node.report();
  assert.equal(report.pools[0]?.inUse, 2);
  assert.deepEqual(report.pods.map(({ pod }) => pod).toSorted(), ['container n1-1', 'web-0']);
});

test('CHECK names what somebody took out of the Pod, each by its own words; flatpod check says the same and --repair puts it back', async () => {
  await using lab = await oneNode('warm: {spare: 2}');
  const node = lab.node(0);
  const pod = node.container();
  const { stdout } = await node.call('ADD', pod);
  const prevResult = JSON.parse(stdout) as Printed;
  const address = prevResult.ips?.[0]?.address ?? '';
  const damages: [string[], RegExp][] = [
    [['route', 'del', 'default'], /route .*0\.0\.0\.0\/0.* missing|missing.*0\.0\.0\.0\/0/],
    [['neigh', 'del', '169.254.1.1', 'dev', 'eth0'], /169\.254\.1\.1/],
    [['addr', 'del', address, 'dev', 'eth0'], new RegExp(address.replaceAll('.', '\\.').replace('/32', ''))],
    [['link', 'set', 'eth0', 'down'], /eth0/],
  ];
  for (const [damage, words] of damages) {
    inPod(pod, ...damage);
    const drifted = await refusal(node, 'CHECK', pod, { config: { prevResult } });
    assert.match(drifted.text, /\(FP125\)/, damage.join(' '));
    assert.match(drifted.text, words, damage.join(' '));
    const { differences } = await node.ask<{ differences: string[] }>('repair');
    assert.ok(
      differences.some((difference) => words.test(difference)),
      `${damage.join(' ')}: ${differences.join('; ')}`,
    );
    const checked = await node.call('CHECK', pod, { config: { prevResult } });
    assert.equal(checked.status, 0, `whole after ip ${damage.join(' ')}: ${checked.stdout}`);
  }
});

test('GC with a list, with an empty one and with none takes exactly what it should, and only of its own network', async () => {
  await using lab = await oneNode('warm: {spare: 4}');
  const node = lab.node(0);
  const [kept, stale, foreign, gone] = [node.container(), node.container(), node.container(), node.container()];
  for (const pod of [kept, stale, gone]) await node.add(pod);
  await node.add(foreign, { config: { name: 'other' } });
  const pods = async (): Promise<string[]> => (await node.report()).pods.map(({ container }) => container).toSorted();
  deleteNetns(gone.netns.slice(NAMED.length + 1));
  assert.equal((await node.call('GC', {})).status, 0);
  assert.deepEqual(await pods(), [kept, stale, foreign].map(({ container }) => container).toSorted(), 'no list: whose namespace is gone');
  const list = [{ containerID: kept.container, ifname: 'eth0' }];
  assert.equal((await node.call('GC', {}, { config: { 'cni.dev/valid-attachments': list } })).status, 0);
  assert.deepEqual(await pods(), [kept, foreign].map(({ container }) => container).toSorted(), 'a list: all others of this network');
  assert.equal((await node.call('GC', {}, { config: { 'cni.dev/valid-attachments': [] } })).status, 0);
  assert.deepEqual(await pods(), [foreign.container], 'an empty list: all of this network');
  assert.ok(!inPod(stale, 'link').includes('eth0'), 'the interface is gone too');
  assert.deepEqual((await node.ask<{ differences: string[] }>('check')).differences, []);
});

test('STATUS is 50 with the cloud’s words until there are addresses, and 0 from then on', async () => {
  await using lab = await oneNode('warm: {spare: 2}', 1);
  const node = lab.node(0);
  await node.ask('drain');
  await eventually('the agent ended', () => node.agent.process.exitCode === 0);
  await lab.api.call('POST', '/v1/faults', { call: 'AssignAddresses', effect: { kind: 'error' } });
  await node.start();
  await eventually('the cloud is heard', async () => {
    const { code, text } = await refusal(node, 'STATUS', {});
    assert.equal(code, 50);
    assert.match(text, /no PodSubnet has an address on this node.*pods: vpc did not answer AssignAddresses: InternalError/);
  });
  assert.equal((await refusal(node, 'ADD', node.container())).code, 11);
  await lab.api.call('DELETE', '/v1/faults');
  await eventually('ready', async () => (await node.call('STATUS', {})).status === 0, 60);
  await node.add(node.container());
});
