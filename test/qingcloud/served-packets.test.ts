/** hostnic's settings served as they are, with packets: two nodes, the controller, agents and the driver together, before QingCloud's API. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ip } from '../../src/net/address.ts';
import { contains, parseCidr } from '../../src/net/cidr.ts';
import { inside } from '../vpc/site.ts';
import { eventually, seenFrom } from '../life/lab.ts';
import { blockOf, LIMIT_s, type Served, servedBed } from './served-bed.ts';

const isIn = (block: string, { address }: Served): boolean => contains(parseCidr(block), address as Ip); // what an agent answered

/** Each by each, the own address seen as it is. */
async function allReach(pods: readonly Served[]): Promise<void> {
  for (const from of pods)
    for (const to of pods)
      if (from !== to)
        assert.equal(await seenFrom(from.netns, to.address, to.netns), from.address, `${from.container} asks ${to.container}`);
}

test('Pods have addresses of their namespaces’ blocks and reach each other across nodes; when the ConfigMap changes the next ones are of the new block', async () => {
  await using bed = await servedBed({ ipam: (vxnet) => ({ Default: [vxnet], shop: [blockOf(64)], db: [blockOf(128)] }) });
  const [n1, n2] = bed.nodes;
  assert.ok(n1 && n2);
  const [shop, shop2, db, web] = [await bed.pod(n1, 'shop'), await bed.pod(n2, 'shop'), await bed.pod(n2, 'db'), await bed.pod(n1, 'web')];
  assert.deepEqual(
    [isIn('10.20.1.64/26', shop), isIn('10.20.1.64/26', shop2), isIn('10.20.1.128/26', db)],
    [true, true, true],
    `${shop.address} ${shop2.address} ${db.address}`,
  );
  assert.ok(isIn('10.20.1.0/26', web) || isIn('10.20.1.192/26', web), `${web.address} is of the rest`);
  await allReach([shop, shop2, db, web]);

  bed.ipam({ Default: [bed.vxnet], shop: [blockOf(192)], db: [blockOf(128)] });
  // What of the old block no Pod has goes back; from then on nothing else can be given. Others may get it.
  const isOld = (block: string): boolean => isIn('10.20.1.64/26', { ...shop, address: block.split('/')[0] ?? '' });
  const old = async (): Promise<string[]> => (await bed.held(n1, 'shop')).filter(isOld);
  await eventually('of the old block only what the Pod has is held', async () => (await old()).join() === `${shop.address}/32`, LIMIT_s);
  const moved = await bed.pod(n1, 'shop');
  assert.ok(isIn('10.20.1.192/26', moved), moved.address);
  await allReach([shop, moved, db, shop2]);
  for (const pod of [shop, shop2]) assert.equal((await (pod === shop ? n1 : n2).call('DEL', pod)).status, 0);
  await eventually('nothing of the old block is held', async () => (await old()).length === 0, LIMIT_s);
  await allReach([moved, db, web]);
});

test('a node has one interface for a vxnet, whichever namespaces have blocks of it: all of its Pods are reached by that', async () => {
  const shares = (vxnet: string) => ({ Default: [vxnet], shop: [blockOf(64)], db: [blockOf(128)] });
  await using bed = await servedBed({ ipam: shares, maxNic: 1 });
  const [n1, n2] = bed.nodes;
  assert.ok(n1 && n2);
  const [shop, db, web] = [await bed.pod(n1, 'shop'), await bed.pod(n1, 'db'), await bed.pod(n1, 'web')];
  const far = [await bed.pod(n2, 'db'), await bed.pod(n2, 'web')];
  await allReach([shop, db, web, ...far]);
  assert.deepEqual([(await bed.nics(n1)).length, (await bed.nics(n2)).length], [1, 1]);
  assert.equal((await n1.call('DEL', shop)).status, 0);
  bed.ipam({ Default: [bed.vxnet], db: [blockOf(128)] });
  await eventually('the namespace’s addresses have gone back', async () => (await bed.held(n1, 'shop')).length === 0, LIMIT_s);
  await allReach([db, web, ...far]);
});

test('beyond maxNic a Pod that needs an interface waits and is told so, and when it is raised the Pod has its address', async () => {
  await using bed = await servedBed({ ipam: (vxnet) => ({ Default: [vxnet] }), hostNicType: 'passthrough', maxNic: 1 });
  const [n1] = bed.nodes;
  assert.ok(n1);
  const first = await bed.pod(n1, 'shop');
  const late = bed.pod(n1, 'db');
  await eventually(
    'the node says why',
    async () => (await n1.report()).pools.some(({ waiting, stopped }) => waiting > 0 && /interface/.test(stopped)),
    LIMIT_s,
  );
  assert.equal((await bed.nics(n1)).length, 1);
  bed.maxNic(2);
  await allReach([first, await late]);
  assert.equal((await bed.nics(n1)).length, 2);
});

test('with passthrough each Pod has a whole interface of the vxnet, by which it is reached from another node', async () => {
  await using bed = await servedBed({ ipam: (vxnet) => ({ Default: [vxnet] }), hostNicType: 'passthrough' });
  const [n1, n2] = bed.nodes;
  assert.ok(n1 && n2);
  const pods = [await bed.pod(n1, 'shop'), await bed.pod(n1, 'web'), await bed.pod(n2, 'web')];
  await allReach(pods);
  const own = new Map((await Promise.all([bed.nics(n1), bed.nics(n2)])).flat().map(({ primary4, mac }) => [primary4, mac]));
  for (const { netns, address } of pods) {
    const mac = own.get(address as Ip); // as the cloud writes it
    assert.ok(mac !== undefined, `${address} is an interface's own`);
    assert.match((await inside({ netns }, 'ip -o link show eth0')).out, new RegExp(mac));
  }
});
