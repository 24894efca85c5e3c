/** An address whose release was accepted and has not ended: lists show it still, and it is nobody's any more. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Cloud, CreateNic, NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { type Cidr, parseCidr } from '../../src/net/cidr.ts';
import { fails } from '../cloud/scripted-server.ts';
import { qingGround, type QingGround } from './ground.ts';
import { type HeldTime, heldTime } from './held-time.ts';
import { type Answer, json, macOf, nicItem, refused, scripted } from './scripted.ts';

const JOB_ms = 30_000;
/** Shorter than the job, so that nobody waits for all of it. */
const deadline_ms = 20_000;
const these = ['10.20.0.64/32', '10.20.0.96/28'].map(parseCidr);
const [address, ...prefix] = these;
const request = (subnet: SubnetId): CreateNic => ({
  clientToken: 't',
  subnet,
  securityGroups: [],
  tags: { 'flatpod.dev/cluster': 'c', 'flatpod.dev/node': 'n1', 'flatpod.dev/intent': 't' },
  description: '',
});

interface Stage extends AsyncDisposable {
  readonly ground: QingGround;
  readonly cloud: Cloud;
  readonly id: NicId;
  readonly time: HeldTime;
  counts(): Promise<Record<string, number>>;
  fault(effect: object): Promise<void>;
  /** Lets time pass until that has ended, once its release has been asked for so often. */
  during<T>(work: Promise<T>, releases: number): Promise<T>;
}

/** A NIC with an address and a /28, and releases that take long. */
async function stage(t: TestContext): Promise<Stage> {
  await using building = new AsyncDisposableStack();
  const time = heldTime(t);
  const ground = building.use(await qingGround());
  const subnet = await ground.subnet('10.20.0.0/24', 'a');
  const cloud = ground.driver({ deadline_ms });
  const { id } = await cloud.createNic(request(subnet));
  assert.deepEqual(await time.during(cloud.assign(id, { these })), these);
  const counts = async (): Promise<Record<string, number>> => (await ground.aside('GET', '/double/counts')).body;
  const fault = async (effect: object): Promise<void> => {
    assert.ok((await ground.aside('POST', '/double/faults', { action: 'ReleaseVips', count: 1, effect })).status < 300);
  };
  await fault({ kind: 'jobTakes', ms: JOB_ms });
  const owned = building.move();
  return {
    ground,
    cloud,
    id,
    time,
    counts,
    fault,
    during: (work, releases) => time.during(work, async () => ((await counts())['ReleaseVips'] ?? 0) >= releases),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function blocksOf(cloud: Cloud, id: NicId): Promise<readonly Cidr[]> {
  return (await cloud.nics({ ids: [id] }))[0]?.blocks.toSorted() ?? [];
}

/** As far as `cloud` knows. */
async function isLeaving(cloud: Cloud, id: NicId): Promise<void> {
  assert.deepEqual(await blocksOf(cloud, id), [], 'nobody holds it');
  for (const one of these) await assert.rejects(cloud.assign(id, { these: [one] }), fails('cloudConflict', /is being given back/));
}

test('a block whose release has not ended is no NIC’s block, and is refused until it is free, also to the NIC that had it', async (t) => {
  await using at = await stage(t);
  const { cloud, id, time } = at;
  await assert.rejects(at.during(cloud.unassign(id, these), 1), fails('cloudUnavailable', /has not ended yet/));
  await isLeaving(cloud, id);
  await time.during(cloud.unassign(id, these));
  assert.equal((await at.counts())['ReleaseVips'], 1, 'who gives it back again waits for the same job');
  assert.deepEqual(await time.during(cloud.assign(id, { these })), these);
  assert.deepEqual(await blocksOf(cloud, id), these);
  assert.equal((await at.counts())['AllocateVips'], 4, 'they are reserved anew');
});

test('what is not given back stays the NIC’s, and a release that fails leaves the block to it', async (t) => {
  await using at = await stage(t);
  const { cloud, id, time } = at;
  await at.fault({ kind: 'jobFails', outcome: 'failed' });
  assert.ok(address);
  await assert.rejects(at.during(cloud.unassign(id, [address]), 1), fails('cloudUnavailable', /has not ended yet/));
  assert.deepEqual(await blocksOf(cloud, id), prefix);
  await time.until('the job has failed', async () => (await blocksOf(cloud, id)).length === 2);
  assert.deepEqual(await cloud.assign(id, { these }), these);
  assert.equal((await at.counts())['AllocateVips'], 2, 'it was reserved all the time');
});

test('a process that is new knows of a release that another one began', async (t) => {
  await using at = await stage(t);
  const { ground, cloud, id, time } = at;
  await assert.rejects(at.during(cloud.unassign(id, these), 1), fails('cloudUnavailable'));
  await isLeaving(ground.driver({ deadline_ms }), id);
  const after = ground.driver({ deadline_ms });
  await assert.rejects(after.assign(id, { these }), fails('cloudConflict', /is being given back/));
  await time.during(after.unassign(id, these));
  assert.equal((await at.counts())['ReleaseVips'], 1);
  assert.deepEqual(await time.during(after.assign(id, { these })), these);
});

test('a release whose answer was lost is known by its job', async (t) => {
  await using at = await stage(t);
  const { ground, cloud, id, time } = at;
  await blocksOf(cloud, id);
  assert.ok((await ground.vpc.call('POST', '/v1/faults', { call: 'ReleaseVips', count: 1, effect: { kind: 'loseAnswer' } })).status < 300);
  await assert.rejects(cloud.unassign(id, these), fails('cloudUnavailable'));
  await isLeaving(cloud, id);
  await assert.rejects(at.during(cloud.unassign(id, these), 1), fails('cloudUnavailable', /has not ended yet/));
  await time.during(cloud.unassign(id, these));
  assert.equal((await at.counts())['ReleaseVips'], 1);
  assert.deepEqual(await time.during(cloud.assign(id, { these })), these);
});

const vip = (number: number) => ({
  vip_id: `vip-${number}`,
  vip_addr: `10.20.0.${number}`,
  vip_name: `flatpod_${macOf(1).replaceAll(':', '')}_32_c`,
  vxnet_id: 'vxnet-1',
});

test('a release that fails while others are waited for is told: its address is not given back', async () => {
  await using server = await scripted();
  let [isReleasing, isFailed] = [false, false];
  const statusOf = (job: string): string => (job === 'j-1' ? (isReleasing ? 'failed' : 'working') : isFailed ? 'successful' : 'working');
  server.answers = {
    DescribeNics: json({ nic_set: [nicItem(1)], total_count: 1 }),
    DescribeVxnets: json({ vxnet_set: [{ vxnet_id: 'vxnet-1' }], total_count: 1 }),
    DescribeVips: json({ vip_set: [vip(64), vip(65)], total_count: 2 }),
    DescribeJobs: (response, question) => {
      const { query } = question;
      const asked = ['j-1', 'j-2'].filter((job) => query.values().some((value) => value === job));
      const one = { job_id: 'j-1', job_action: 'ReleaseVips', resource_ids: ['vip-64'], status: 'working' };
      const set = asked.length === 0 ? [one] : asked.map((job_id) => ({ job_id, status: statusOf(job_id) }));
      isFailed ||= isReleasing && asked.includes('j-1');
      json({ job_set: set, total_count: set.length })(response, question);
    },
    ReleaseVips: (response, asked) => {
      isReleasing = true;
      json({ job_id: 'j-2' })(response, asked);
    },
  };
  const blocks = ['10.20.0.64/32', '10.20.0.65/32'].map(parseCidr);
  await assert.rejects(
    server.cloud.unassign(macOf(1) as NicId, blocks),
    fails('cloudConflict', /job j-1 was accepted, and ended as "failed"/),
  );
  assert.deepEqual(
    server.asked.flatMap(({ action, query }) => (action === 'ReleaseVips' ? [query.get('vips.1')] : [])),
    ['vip-65'],
  );
});

test('whatever is told of jobs, or refused, a NIC’s addresses are shown: those alone are left out of which it is said that they are being released', async () => {
  const running = (more: object): Answer => json({ job_set: [{ job_id: 'j-1', status: 'working', ...more }], total_count: 1 });
  for (const [answer, shown] of [
    [running({ job_action: 'ReleaseVips', resource_ids: 'vip-64,vip-65' }), []],
    [running({ job_action: 'ReleaseVips', resource_ids: ['vip-64'] }), ['10.20.0.65/32']],
    [running({ job_action: 'ReleaseVips', resource_ids: { odd: 1 } }), ['10.20.0.64/32', '10.20.0.65/32']],
    [running({ job_action: 'StopInstances', resource_ids: 'vip-64' }), ['10.20.0.64/32', '10.20.0.65/32']],
    [running({ status: 'strange' }), ['10.20.0.64/32', '10.20.0.65/32']],
    [refused(1100, 'InvalidRequestParameter, status'), ['10.20.0.64/32', '10.20.0.65/32']],
    [refused(1400, 'PermissionDenied, access denied'), ['10.20.0.64/32', '10.20.0.65/32']],
  ] as const) {
    await using server = await scripted();
    server.answers = {
      DescribeNics: json({ nic_set: [nicItem(1)], total_count: 1 }),
      DescribeVips: json({ vip_set: [vip(64), vip(65)], total_count: 2 }),
      DescribeJobs: answer,
    };
    assert.deepEqual(await blocksOf(server.cloud, macOf(1) as NicId), shown);
  }
  await using silent = await scripted();
  silent.answers = {
    DescribeNics: json({ nic_set: [nicItem(1)], total_count: 1 }),
    DescribeVips: json({ vip_set: [vip(64)], total_count: 1 }),
  };
  await assert.rejects(blocksOf(silent.cloud, macOf(1) as NicId), fails('cloudUnavailable'), 'who has no answer asks again');
});
