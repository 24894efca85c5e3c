/** A cluster of hostnic's that lives is taken over: its settings served, its reservations adopted, its Pod left alone until it ends. Packets on two nodes. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { launcher } from '../../src/cli/demo/processes.ts';
import { deleteNetns } from '../../src/kernel/netns.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { reply, runtimeServer, sandboxList } from '../cri/server.ts';
import { eventually, seenFrom, type TestNode } from '../life/lab.ts';
import { type FormerPod, formerPod } from './former.ts';
import { type Beginning, type Served, type ServedBed, servedBed } from './served-bed.ts';

const block = '4100-10-20-1-68-30';

/** Somebody wrote that no node keeps any: there are too few for that. */
function noneAtHand({ vxnet, kube }: Beginning): void {
  for (const [name, more] of [
    [vxnet, {}],
    [`${vxnet}-shop`, { namespaces: ['shop'], within: ['10.20.1.68/31'] }],
  ] as const) {
    const spec = { cloudSubnet: vxnet, warm: { minimum: 0, spare: 0 }, ...more };
    const metadata = { name, labels: { 'flatpod.dev/made-from': 'hostnic' } };
    kube.put(resources.podSubnets, { apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata, spec });
  }
}

interface Living extends AsyncDisposable {
  readonly bed: ServedBed;
  /** On the first node. */
  readonly former: FormerPod;
}

/** Of which hostnic has made a Pod, and reserved all of the vxnet. */
async function livingCluster(): Promise<Living> {
  const netns = `fpqf${process.pid % 10_000}`;
  await using building = new AsyncDisposableStack();
  let former: FormerPod | undefined;
  const bed = building.use(
    await servedBed({
      ipam: (vxnet) => ({ Default: [vxnet], shop: [block] }),
      async before(site) {
        building.defer(() => deleteNetns(netns));
        former = await formerPod(site, { block, cidr: '10.20.1.68/30', at: 2, netns });
        noneAtHand(site);
        return { adoptVips: 'hostnic_' };
      },
    }),
  );
  assert.ok(former !== undefined);
  const owned = building.move();
  return { bed, former, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test('new Pods have other addresses of the block, reach the Pod that hostnic made, and it them; when that has ended its address is given too', async () => {
  await using living = await livingCluster();
  const { bed, former } = living;
  const [n1, n2] = bed.nodes;
  assert.ok(n1 && n2);
  assert.equal(former.address, '10.20.1.70');
  const elsewhere = await bed.pod(n2, 'web');
  const pods: Served[] = [];
  const oneOfUs = async (node: typeof n1): Promise<void> => void pods.push(await bed.pod(node, 'shop'));
  await oneOfUs(n2);
  await oneOfUs(n2);
  await oneOfUs(n2);
  assert.deepEqual(pods.map(({ address }) => address).toSorted(), ['10.20.1.68', '10.20.1.69', '10.20.1.71']);
  for (const pod of [...pods, elsewhere]) {
    assert.equal(await seenFrom(pod.netns, former.address, former.netns), pod.address, `${pod.address} asks the Pod of hostnic`);
    assert.equal(await seenFrom(former.netns, pod.address, pod.netns), former.address, `the Pod of hostnic asks ${pod.address}`);
  }
  const vips = async (): Promise<Map<string, string>> => {
    const asked = { 'vxnets.1': bed.vxnet, 'vip_addrs.1': '10.20.1.70', 'vip_addrs.2': '10.20.1.71' };
    const { vip_set: all } = await bed.ground.act('DescribeVips', asked);
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

/** `flatpod takeover hostnic` on that node, whose runtime has the Pod as container `a`. */
async function takenOver({ name, dir, socket }: TestNode, { address, netns }: FormerPod): Promise<string> {
  await using runtime = await runtimeServer(({ stream }) => reply(stream, sandboxList(['a'])));
  const [kept, folder] = [join(dir, 'kept.json'), join(dir, 'netns')];
  writeFileSync(kept, JSON.stringify([{ address, namespace: 'default', pod: 'pod-a', node: name, subnet: 'shop' }]));
  // Others on this machine have Pods with such addresses too.
  mkdirSync(folder);
  symlinkSync(netns, join(folder, 'pod-a'));
  const args = ['takeover', 'hostnic', '--kept', kept, '--node', name, '--netns-dir', folder, '--runtime-socket', runtime.socket];
  return (await promisify(execFile)(launcher, [...args, '--socket', socket])).stdout;
}

test('once it is taken over, Pods of ours on its own node reach it too, and it them; its end leaves nothing of that', async () => {
  await using living = await livingCluster();
  const { bed, former } = living;
  const [n1, n2] = bed.nodes;
  assert.ok(n1 && n2);
  const pods = [await bed.pod(n1, 'shop'), await bed.pod(n2, 'shop'), await bed.pod(n1, 'web')];
  assert.match(await takenOver(n1, former), /taken over {2}default\/pod-a \(10\.20\.1\.70\)\n.*the agent has them/);
  const reachEachOther = async (): Promise<void> => {
    for (const pod of pods) {
      assert.equal(await seenFrom(pod.netns, former.address, former.netns), pod.address, `${pod.address} asks the Pod of hostnic`);
      assert.equal(await seenFrom(former.netns, pod.address, pod.netns), former.address, `the Pod of hostnic asks ${pod.address}`);
    }
  };
  await reachEachOther();
  assert.deepEqual(await n1.ask('check'), { differences: [] });
  const way = (): string => n1.ip('route show table 7000 10.20.1.70');
  assert.match(way(), /10\.20\.1\.70 dev vnic1 proto 114 scope link/);
  n1.ip('route del 10.20.1.70 table 7000');
  await eventually('the way is put back', () => way() !== '');
  // Started with other numbers, when none of ours needs that table any more.
  const [here, there, too] = pods;
  for (const pod of [here, too]) assert.equal((await n1.call('DEL', pod ?? {})).status, 0);
  await n1.kill9();
  n1.ip('route del 10.20.1.70 table 7000');
  const yaml = readFileSync(join(n1.dir, 'node.yaml'), 'utf8');
  await n1.start({}, yaml.replace('cooldown_s: 0', 'cooldown_s: 0, numbers: {firstTable: 8000}'));
  pods.splice(0, pods.length, ...(there === undefined ? [] : [there]), await bed.pod(n1, 'web'));
  await reachEachOther();
  assert.equal((await n1.call('DEL', { container: 'a', netns: former.netns })).status, 0);
  assert.equal(way(), '');
  assert.doesNotMatch(n1.ip('rule'), /1535/);
});
