/** What hostnic's settings say of nodes, changed while these run, with packets: serviceCIDR, logLevel, mtu, and how Pods are connected. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { launcher } from '../../src/cli/demo/processes.ts';
import { eventually, seenFrom, type TestNode } from '../life/lab.ts';
import { inside, serve } from '../life/underlay.ts';
import { blockOf, LIMIT_s, type Served, servedBed } from './served-bed.ts';

const mtuOf = ({ netns }: Served, link: string): number => Number(inside(netns, `cat /sys/class/net/${link}/mtu`));
const wayTo = (service: string, { netns }: Served): string => inside(netns, `ip route get ${service}`);

async function told(node: TestNode, settings: unknown): Promise<void> {
  await eventually(
    'the agent knows',
    async () => {
      assert.deepEqual((await node.report()).settings, settings);
    },
    LIMIT_s,
  );
}

/** What its agent says of each ADD only where debug is logged. */
const debugLines = (node: TestNode): number =>
  node
    .log()
    .split('\n')
    .filter((line) => line.includes('"level":20')).length;

test('serviceCIDR, mtu and logLevel are heeded by agents that run: the next passthrough Pod reaches Services of the new block, and no Pod loses anything', async () => {
  await using bed = await servedBed({ ipam: (vxnet) => ({ Default: [vxnet] }), hostNicType: 'passthrough' });
  const [n1] = bed.nodes;
  assert.ok(n1);
  await told(n1, { serviceCidrs: ['10.96.0.0/16'] });
  const first = await bed.pod(n1, 'shop');
  serve(
    n1,
    ['10.96.0.10', '10.97.0.10'].map((service) => ({ asked: `ip daddr ${service} tcp dport 8080`, endpoint: `${first.address}:8080` })),
  );
  assert.deepEqual([debugLines(n1), mtuOf(first, 'eth0')], [0, 1500]);

  bed.cni({ serviceCIDR: '10.97.0.0/16', mtu: 1400, logLevel: 'debug' });
  const then = { serviceCidrs: ['10.97.0.0/16'], mtu: 1400, log: 'debug' };
  await told(n1, then);
  const shown = execFileSync(launcher, ['status', '--socket', n1.socket], { encoding: 'utf8' });
  assert.match(shown, /^TOLD {2}Services 10\.97\.0\.0\/16, MTU at most 1400, log debug$/m);
  const next = await bed.pod(n1, 'shop');
  assert.match(wayTo('10.97.0.10', next), / dev node0 /);
  assert.match(wayTo('10.96.0.10', next), / dev eth0 /);
  assert.equal(await seenFrom(next.netns, '10.97.0.10', first.netns), next.address);
  for (const link of ['eth0', 'node0']) assert.equal(mtuOf(next, link), 1400);
  for (const [asked, given] of [
    [1450, 1400],
    [1300, 1300],
  ] as const)
    assert.equal(mtuOf(await bed.pod(n1, 'shop', asked), 'eth0'), given, 'the lower one of both');
  assert.match(wayTo('10.96.0.10', first), / dev node0 /, 'as it was when the Pod was made');
  assert.equal(mtuOf(first, 'eth0'), 1500);
  assert.ok(debugLines(n1) > 0);
  assert.deepEqual((await n1.ask<{ differences: string[] }>('check')).differences, []);

  bed.cni({ serviceCIDR: '10.98.0.0/16', logLevel: 'chatty' });
  await eventually('the mistake is said', () => bed.lines.some((line) => line.includes('FP506') && line.includes('chatty')), LIMIT_s);
  await told(n1, then);

  await n1.kill9();
  await bed.startAlone(n1);
  await told(n1, then);
  const before = debugLines(n1);
  assert.equal((await n1.call('DEL', next)).status, 0);
  assert.ok(debugLines(n1) > before, 'it logs as it was told before');
});

test('hostNicType is another while Pods run: the next ones are connected so, on nodes that had the other, and all reach each other', async () => {
  await using bed = await servedBed({ ipam: (vxnet) => ({ Default: [vxnet], shop: [blockOf(64)] }) });
  const [n1, n2] = bed.nodes;
  assert.ok(n1 && n2);
  // A NIC that a Pod has for itself has a veth to the node beside it.
  const isWhole = ({ netns }: Served): boolean => inside(netns, 'ls /sys/class/net').split('\n').includes('node0');
  const pods = [await bed.pod(n1, 'shop'), await bed.pod(n2, 'web')];
  assert.deepEqual(pods.map(isWhole), [false, false]);
  /** One that was made before the agent knew is none of the next ones. */
  const connected = (node: TestNode, namespace: string, whole: boolean): Promise<Served> =>
    eventually(
      `${whole ? 'a whole interface' : 'a veth'} for ${namespace} on ${node.name}`,
      async () => {
        const pod = await bed.pod(node, namespace);
        const isRight = isWhole(pod) === whole;
        if (!isRight) assert.equal((await node.call('DEL', pod)).status, 0);
        assert.ok(isRight, `${pod.address} was of the other kind`);
        return pod;
      },
      LIMIT_s,
    );
  for (const hostNicType of ['passthrough', 'veth'] as const) {
    bed.cni({ hostNicType });
    const isNow = hostNicType === 'passthrough';
    const now = [await connected(n1, 'shop', isNow), await connected(n2, 'web', isNow)];
    pods.push(...now);
    for (const from of pods)
      for (const to of pods)
        if (from !== to)
          assert.equal(await seenFrom(from.netns, to.address, to.netns), from.address, `${from.container} asks ${to.container}`);
  }
});
