/** A cloud whose list of subnets lacks ours for a while, with packets: Pods on every interface keep their way out, and new ones find theirs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machineOf } from '../../src/cli/demo/lab.ts';
import { type Container, eventually, testLab } from './lab.ts';

test('Pods on a further interface reach another subnet while the cloud does not list theirs, those that come in the meantime too', async () => {
  await using l = await testLab({
    plan: {
      subnets: { a: { cidr4: '10.20.0.0/24' }, b: { cidr4: '10.20.1.0/24' } },
      machines: { n1: { subnet: 'a', type: 'v1.small' }, vm: { subnet: 'b' } },
    },
    // One more than the instance has room for: that it cannot grow is said with each reason.
    agents: { n1: { subnet: 'a', pods: 'warm: {minimum: 7}', node: 'cooldown_s: 0' } },
  });
  const node = l.node(0);
  const vm = machineOf(l.lab, 'vm');
  const pods: (Container & { readonly address: string })[] = [];
  const add = async (): Promise<void> => {
    const pod = node.container();
    const address = await eventually('the Pod has an address', async () => (await node.add(pod))[0] ?? '', 40);
    pods.push({ ...pod, address });
  };
  const reached = async (): Promise<void> => {
    for (const { netns, address } of pods) assert.equal(await l.seenFrom(netns, vm.addresses[0] ?? '', vm.netns), address);
  };
  for (let i = 0; i < 5; i++) await add();
  const { items } = await l.api.call<{ items: { blocks: string[] }[] }>('GET', `/v1/nics?instance=${node.instance}`);
  const shared = items.filter(({ blocks }) => pods.some(({ address }) => blocks.includes(`${address}/32`)));
  assert.equal(shared.length, 2, 'Pods are on both interfaces');
  await reached();
  // As it was before the subnets were made.
  await l.api.call('POST', '/v1/faults', { call: 'ListSubnets', effect: { kind: 'staleReads', ms: 600_000 } });
  await node.stop();
  await node.start();
  await eventually('the controller has met such a list', () => node.log().includes('the cloud knows no subnet'));
  await add();
  await reached();
});
