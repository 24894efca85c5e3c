/** Namespaces with blocks of one cloud subnet for their own, with packets: each has addresses of its blocks alone, also after these were changed. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { machineOf } from '../../src/cli/demo/lab.ts';
import type { Ip } from '../../src/net/address.ts';
import { contains, parseCidr } from '../../src/net/cidr.ts';
import { type Container, eventually, type TestLab, testLab, type TestNode } from './lab.ts';

const blocks = { shop: '10.20.0.64/28', db: '10.20.0.128/27', later: '10.20.0.192/28' };

function lab(): Promise<TestLab> {
  const spec = (namespace: 'shop' | 'db'): string =>
    `namespaces: [${namespace}], within: ['${blocks[namespace]}'], useFirstNic: false, warm: {spare: 2}`;
  return testLab({
    plan: { subnets: { a: { cidr4: '10.20.0.0/24' } }, machines: { n1: { subnet: 'a' }, vm: { subnet: 'a' } } },
    agents: {
      n1: {
        subnet: 'a',
        // The rest, but for what is to be somebody's later.
        pods: "within: ['10.20.0.16/28']",
        node: 'cooldown_s: 0',
        more: { shop: { subnet: 'a', pods: spec('shop') }, db: { subnet: 'a', pods: spec('db') } },
      },
    },
  });
}

async function add(node: TestNode, namespace: string): Promise<Container & { readonly address: string }> {
  const pod = node.container();
  const env = { CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${pod.container}` };
  const address = await eventually('the Pod has an address', async () => (await node.add(pod, { env }))[0] ?? '', 40);
  return { ...pod, address };
}

const isIn = (block: string, address: string): boolean => contains(parseCidr(block), address as Ip); // what an agent answered

test('Pods of a namespace have addresses of its blocks, reach each other and are reached; after a change those there stay, and new ones are elsewhere', async () => {
  await using l = await lab();
  const node = l.node(0);
  const vm = machineOf(l.lab, 'vm');
  const reached = async (pod: Container & { readonly address: string }): Promise<void> =>
    assert.equal(await l.seenFrom(vm.netns, pod.address, pod.netns), vm.addresses[0], `the VM asks ${pod.address}`);
  const [shop, db, other] = [await add(node, 'shop'), await add(node, 'db'), await add(node, 'web')];
  assert.deepEqual(
    [isIn(blocks.shop, shop.address), isIn(blocks.db, db.address), isIn('10.20.0.16/28', other.address)],
    [true, true, true],
  );
  for (const pod of [shop, db, other]) await reached(pod);
  assert.equal(await l.seenFrom(shop.netns, db.address, db.netns), shop.address);
  const before = readFileSync(join(node.dir, 'node.yaml'), 'utf8');
  await node.stop();
  await node.start({}, before.replace(blocks.shop, blocks.later));
  const moved = await add(node, 'shop');
  assert.ok(isIn(blocks.later, moved.address), moved.address);
  for (const pod of [shop, moved]) await reached(pod);
  const held = async (): Promise<string[]> =>
    (await l.api.call<{ items: { blocks: string[] }[] }>('GET', `/v1/nics?instance=${node.instance}`)).items.flatMap((nic) => nic.blocks);
  await eventually(
    'of the old block only what the Pod has is held',
    async () => {
      const old = (await held()).filter((block) => isIn(blocks.shop, block.split('/')[0] ?? ''));
      return old.length === 1 && old[0] === `${shop.address}/32`;
    },
    60,
  );
  assert.equal((await node.call('DEL', shop)).status, 0);
  await eventually(
    'nothing of the old block is held',
    async () => !(await held()).some((block) => isIn(blocks.shop, block.split('/')[0] ?? '')),
    60,
  );
});
