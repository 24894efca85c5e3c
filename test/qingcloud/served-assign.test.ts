/** subnet-auto-assign with agents and packets: of a vxnet as hostnic's own controller has cut it, and where that is gone, so that nobody has cut it but ours. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockNamed } from '../../src/import/hostnic/subnets.ts';
import type { Ip } from '../../src/net/address.ts';
import { contains, overlaps, parseCidr } from '../../src/net/cidr.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { eventually, seenFrom } from '../life/lab.ts';
import { blockOf, LIMIT_s, type Served, servedBed } from './served-bed.ts';

test('a namespace gets a block of a vxnet that nobody has cut, another one when its Pods have filled that, and a new namespace gets its own', async () => {
  await using bed = await servedBed({ ipam: () => ({}), autoAssign: true, uncut: 30 });
  const [n1, n2] = bed.nodes;
  assert.ok(n1 && n2);
  const blocksOf = (namespace: string) => (bed.written()[namespace] ?? []).map((name) => blockNamed(name) ?? assert.fail(name));
  const isOf = (namespace: string, { address }: Served): boolean => blocksOf(namespace).some((block) => contains(block, address as Ip)); // what an agent answered
  await eventually(
    'each namespace has a block',
    () => ['kube-system', 'shop', 'db', 'web'].every((name) => blocksOf(name).length === 1),
    LIMIT_s,
  );
  // Four addresses are in a block at most.
  const pods: Served[] = [];
  for (let i = 0; i < 5; i++) pods.push(await bed.pod(i % 2 === 0 ? n1 : n2, 'shop'));
  assert.ok(blocksOf('shop').length >= 2, JSON.stringify(bed.written()));
  assert.ok(
    pods.every((pod) => isOf('shop', pod)),
    `${pods.map(({ address }) => address).join()} in ${blocksOf('shop').join()}`,
  );
  bed.kube.put(resources.namespaces, { metadata: { name: 'late' } });
  await eventually('the new namespace has a block', () => blocksOf('late').length === 1, LIMIT_s);
  const late = await bed.pod(n2, 'late');
  assert.ok(isOf('late', late) && !isOf('shop', late), late.address);
  const all = Object.values(bed.written()).flat();
  assert.equal(new Set(all).size, all.length, 'no block is two namespaces’');
  for (const to of [...pods.slice(1), late])
    assert.equal(await seenFrom(pods[0]?.netns ?? '', to.address, to.netns), pods[0]?.address, `${pods[0]?.address} asks ${to.address}`);
});

test('as many namespaces are served as a vxnet has blocks, by the first and the last too, of which hostnic keeps some addresses from Pods', async () => {
  await using bed = await servedBed({ ipam: () => ({}), autoAssign: true });
  const [n1, n2] = bed.nodes;
  assert.ok(n1 && n2);
  await eventually('each namespace has a block', () => Object.keys(bed.written()).length === 4, LIMIT_s);
  const blocks = { db: [blockOf(0)], 'kube-system': [blockOf(64)], shop: [blockOf(128)], web: [blockOf(192)] };
  assert.deepEqual(bed.written(), blocks);
  const [first, last] = [await bed.pod(n1, 'db'), await bed.pod(n2, 'web')];
  for (const [node, namespace, pod, kept] of [
    [n1, 'db', first, '10.20.1.0/31'],
    [n2, 'web', last, '10.20.1.244/30'],
  ] as const) {
    const held = (await bed.held(node, namespace)).map(parseCidr);
    assert.ok(held.some((block) => contains(block, pod.address as Ip)) && !held.some((block) => overlaps(block, parseCidr(kept)))); // what an agent answered
  }
  assert.equal(await seenFrom(first.netns, last.address, last.netns), first.address);
});
