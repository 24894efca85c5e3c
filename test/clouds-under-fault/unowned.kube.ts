/** `flatpod unowned` before EC2's API: what the sweep will delete, what it will not, and why; it deletes nothing itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reportOf, type UnownedReport } from '../../src/cli/unowned.ts';
import type { NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { tagsFor } from '../../src/controller/tags.ts';
import { parseMac } from '../../src/net/mac.ts';
import { eventually } from '../cluster/eventually.ts';
import { lacksKube } from '../openstack/kube-beside.ts';
import { fronts } from './fronts.ts';
import { CLUSTER, oneController } from './one-controller.ts';

const ec2 = fronts.find(({ name }) => name === 'aws');
assert.ok(ec2 !== undefined);

test('interfaces that nobody owns are listed with their nodes, ages and fates, those of nodes are not, and all are there afterwards', async (t) => {
  const lacks = lacksKube();
  if (lacks !== undefined) return t.skip(lacks);
  await using w = await oneController(ec2);
  using honest = w.site.driver(w.site.server);
  const made = async (node: string, cluster = CLUSTER): Promise<string> => {
    const token = `left-on-${node}-${cluster}`;
    const tags = tagsFor(cluster, node, 'pods', token);
    return (
      await honest.createNic({
        clientToken: token,
        subnet: w.site.subnet,
        securityGroups: [],
        tags,
        description: '',
        want: { addresses4: 1 },
      })
    ).id;
  };
  const left = await made('gone');
  await made('gone', 'of-others');
  await w.start({ releases: false });
  await w.apply();
  const node = await w.add('n1');
  // So many that an interface of the node's own is there too.
  await node.want(4);
  await eventually('Pods are served', () => node.leases.length === 4, 60);
  const young = await made('n1');
  const before = (await honest.nics({ tags: { 'flatpod.dev/cluster': CLUSTER } })).map(({ id }) => id).toSorted();
  assert.equal(before.length, 3);
  const { unowned } = JSON.parse(await w.run('unowned', '--json')) as { unowned: UnownedReport[] };
  assert.deepEqual(
    // EC2 has seconds, and both may be of the same one.
    unowned.toSorted((a, b) => ((a.node ?? '') < (b.node ?? '') ? -1 : 1)).map(({ age_s: _, ...rest }) => rest),
    [
      { interface: left, node: 'gone', why: 'there is no node gone', addresses: 1, sweep: 'kept' },
      { interface: young, node: 'n1', why: 'node n1 has no use for it', addresses: 1, sweep: 'kept' },
    ],
  );
  assert.ok((unowned[0]?.age_s ?? -1) >= (unowned[1]?.age_s ?? 0), 'the oldest first');
  // Its writing is read by the next, which gives back.
  await w.start();
  const text = await w.run('unowned');
  assert.match(text, new RegExp(`^${left} .* there is no node gone +leaves it until it is 5 minutes old$`, 'm'));
  assert.match(text, new RegExp(`^${young} .* node n1 has no use for it +leaves it until it is 5 minutes old$`, 'm'));
  assert.deepEqual((await honest.nics({ tags: { 'flatpod.dev/cluster': CLUSTER } })).map(({ id }) => id).toSorted(), before);
});

test('one that is old enough is said to be deleted, unless a switch keeps it', () => {
  const nic = {
    id: 'nic-1' as NicId,
    mac: parseMac('02:00:00:00:00:01'),
    subnet: 's' as SubnetId,
    mtu: 1500,
    blocks: [],
    securityGroups: [],
    tags: {},
    createdAt_ms: 0,
  };
  const one = { nic, node: undefined, isNodeThere: false, age_ms: 300_000 };
  assert.deepEqual(reportOf(one, { changes: true, releases: true }), {
    interface: 'nic-1',
    why: 'no node is named in its tags',
    age_s: 300,
    addresses: 0,
    sweep: 'deleted',
  });
  assert.equal(reportOf({ ...one, age_ms: 299_999 }, { changes: true, releases: true }).sweep, 'tooYoung');
  assert.equal(reportOf(one, { changes: false, releases: true }).sweep, 'kept');
});
