/** A cluster of hostnic's that lives is taken over: its settings served, its reservations adopted, its Pod left alone until it ends. Packets on two nodes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deleteNetns } from '../../src/kernel/netns.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { seenFrom } from '../life/lab.ts';
import { type FormerPod, formerPod } from './former.ts';
import { type Served, servedBed } from './served-bed.ts';

const block = '4100-10-20-1-68-30';

test('new Pods have other addresses of the block, reach the Pod that hostnic made, and it them; when that has ended its address is given too', async () => {
  const netns = `fpqf${process.pid % 10_000}`;
  await using cleaning = new AsyncDisposableStack();
  let former: FormerPod | undefined;
  await using bed = await servedBed({
    ipam: (vxnet) => ({ Default: [vxnet], shop: [block] }),
    async before(site) {
      cleaning.defer(() => deleteNetns(netns));
      former = await formerPod(site, { block, cidr: '10.20.1.68/30', at: 2, netns });
      // Somebody wrote that no node keeps any at hand: a new interface would get an address that is being adopted, with so few.
      for (const [name, more] of [
        [site.vxnet, {}],
        [`${site.vxnet}-shop`, { namespaces: ['shop'], within: ['10.20.1.68/31'] }],
      ] as const) {
        const spec = { cloudSubnet: site.vxnet, warm: { minimum: 0, spare: 0 }, ...more };
        const metadata = { name, labels: { 'flatpod.dev/made-from': 'hostnic' } };
        site.kube.put(resources.podSubnets, { apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata, spec });
      }
      return { adoptVips: 'hostnic_' };
    },
  });
  const [n1, n2] = bed.nodes;
  assert.ok(n1 && n2 && former);
  assert.equal(former.address, '10.20.1.70');
  const elsewhere = await bed.pod(n2, 'web');
  const pods: Served[] = [];
  const oneOfUs = async (node: typeof n1): Promise<void> => void pods.push(await bed.pod(node, 'shop'));
  await oneOfUs(n2);
  await oneOfUs(n2);
  await oneOfUs(n2);
  assert.deepEqual(pods.map(({ address }) => address).toSorted(), ['10.20.1.68', '10.20.1.69', '10.20.1.71']);
  // From the other node: rule 1535 comes after ours, so that Pods of both on one node do not find each other.
  for (const pod of [...pods, elsewhere]) {
    assert.equal(await seenFrom(pod.netns, former.address, former.netns), pod.address, `${pod.address} asks the Pod of hostnic`);
    assert.equal(await seenFrom(former.netns, pod.address, pod.netns), former.address, `the Pod of hostnic asks ${pod.address}`);
  }
  const vips = async (): Promise<Map<string, string>> => {
    const { vip_set: all } = await bed.ground.act('DescribeVips', { 'vip_addrs.1': '10.20.1.70', 'vip_addrs.2': '10.20.1.71' });
    return new Map(all.map(({ vip_addr, vip_name }: Record<string, string>) => [vip_addr, vip_name]));
  };
  assert.equal((await vips()).get('10.20.1.70'), `hostnic_${bed.vxnet}`, 'nobody touches its address');
  assert.match((await vips()).get('10.20.1.71') ?? '', /^flatpod_/);

  former.end();
  await oneOfUs(n2);
  assert.equal(pods.at(-1)?.address, '10.20.1.70');
  const last = pods.at(-1);
  assert.ok(last);
  assert.equal(await seenFrom(elsewhere.netns, last.address, last.netns), elsewhere.address);
  assert.equal(await seenFrom(last.netns, elsewhere.address, elsewhere.netns), last.address);
});
