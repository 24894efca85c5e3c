/** The security group of the nodes' instances, on the strict double: rules that let Pods in, and their application. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { cloudOf } from '../../src/cli/cloud.ts';
import { systemClock } from '../../src/cloud/clock.ts';
import type { SubnetId } from '../../src/cloud/cloud.ts';
import { qingCloud } from '../../src/cloud/qingcloud/qingcloud.ts';
import type { SecurityGroup } from '../../src/cloud/security-group.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { type Cidr, parseCidr } from '../../src/net/cidr.ts';
import { cloud as cloudConfig } from '../../src/store/clouds.ts';
import { memoryCloud } from '../cloud/memory-cloud.ts';
import { fails } from '../cloud/scripted-server.ts';
import { virtualClock } from '../cloud/virtual-clock.ts';
import { type Double, key, qingcloudDouble, zone } from './double.ts';
import { keyFile } from './key-file.ts';

const pods = ['10.20.1.0/24', '10.20.2.0/24'].map(parseCidr);

interface Rule {
  readonly security_group_rule_id: string;
  readonly security_group_rule_name?: string;
  readonly protocol: string;
  readonly val3?: string;
}

interface Scene extends AsyncDisposable {
  readonly double: Double;
  readonly group: string;
  readonly keys: string;
  /** Of a driver that knows nothing yet. */
  driver(): SecurityGroup;
  rules(): Promise<Rule[]>;
  isApplied(): Promise<boolean>;
  /** Lists that may be old by then are not. */
  wait(ms: number): void;
}

/** With a rule of somebody, which is applied. */
async function scene(): Promise<Scene> {
  await using building = new AsyncDisposableStack();
  const double = building.use(await qingcloudDouble());
  const keys = building.use(keyFile(key.accessKeyId, key.secretAccessKey)).path;
  const { security_group_id: group } = await double.ok('CreateSecurityGroup', { security_group_name: 'nodes' });
  const theirs = {
    'rules.1.action': 'accept',
    'rules.1.priority': 1,
    'rules.1.protocol': 'tcp',
    'rules.1.val1': '22',
    'rules.1.val3': '10.0.0.0/8',
  };
  await double.ok('AddSecurityGroupRules', { security_group: group, ...theirs });
  await double.final((await double.ok('ApplySecurityGroup', { security_group: group })).job_id);
  const drivers = building.use(new DisposableStack());
  let ahead_ms = 0;
  const clock = { ...systemClock, now_ms: () => systemClock.now_ms() + ahead_ms };
  const owned = building.move();
  return {
    double,
    group,
    keys,
    driver() {
      const credentials = { from: 'file', path: keys } as const;
      const { securityGroup } = drivers.use(qingCloud({ credentials, endpoint: `${double.url}/iaas`, zone, securityGroup: group }, clock));
      assert.ok(securityGroup);
      return securityGroup;
    },
    rules: async () => (await double.ok('DescribeSecurityGroupRules', { security_group: group })).security_group_rule_set,
    isApplied: async () =>
      (await double.ok('DescribeSecurityGroups', { 'security_groups.1': group })).security_group_set[0].is_applied === 1,
    wait: (ms) => void (ahead_ms += ms),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Takes the steps until there is none; a call that fails is tried again, later: jobs of calls whose answers were lost go on in real time. */
async function untilDone(on: Scene, group: SecurityGroup, blocks: readonly Cidr[] = pods): Promise<string[]> {
  const done: string[] = [];
  for (let tries = 0; tries < 400; tries++)
    try {
      const step = await group.next(blocks);
      if (step === undefined) return done;
      await group.perform(step);
      done.push(step.text.split(' ')[0] ?? '');
    } catch (error) {
      if (!isFailure(error, 'cloudUnavailable') && !isFailure(error, 'cloudConflict')) throw error;
      on.wait(5000);
      await pause(25);
    }
  throw new Error(`${done.join()} and no end`);
}

const ours = (rules: readonly Rule[]): string[] =>
  rules.flatMap(({ security_group_rule_name: name, val3 }) => (name === 'flatpod' ? (val3 ?? '') : [])).toSorted();

test('what lets Pods in is added by one call and applied, once; then there is nothing to do, and what somebody else wrote stays', async () => {
  await using on = await scene();
  const group = on.driver();
  assert.deepEqual(await untilDone(on, group), ['let', 'apply']);
  assert.deepEqual([ours(await on.rules()), await on.isApplied()], [[...pods], true]);
  assert.equal((await on.rules()).length, 3);
  const changes = async (): Promise<unknown[]> => {
    const counts = await on.double.counts();
    return ['AddSecurityGroupRules', 'ApplySecurityGroup', 'DeleteSecurityGroupRules'].map((action) => counts[action] ?? 0);
  };
  // One of each was the scene's.
  assert.deepEqual(await changes(), [2, 2, 0]);
  for (const again of [group, on.driver()]) assert.equal(await again.next(pods), undefined);
  assert.deepEqual(await changes(), [2, 2, 0]);
});

test('a rule that lets all of a larger block in is enough; one of a port, one that drops and one for leaving are not', async () => {
  await using on = await scene();
  const add = (rule: object): Promise<unknown> =>
    on.double.ok('AddSecurityGroupRules', {
      security_group: on.group,
      ...Object.fromEntries(
        Object.entries({ priority: 5, action: 'accept', protocol: 'all', ...rule }).map(([name, value]) => [`rules.1.${name}`, value]),
      ),
    });
  for (const rule of [{ protocol: 'tcp', val1: '80' }, { action: 'drop' }, { direction: 1 }]) await add({ ...rule, val3: '10.20.0.0/16' });
  const group = on.driver();
  assert.match((await group.next(pods))?.text ?? '', /^let 10\.20\.1\.0\/24, 10\.20\.2\.0\/24 in/);
  await add({ val3: '10.20.0.0/16' });
  assert.deepEqual(await untilDone(on, group), ['apply']);
  assert.deepEqual(ours(await on.rules()), []);
});

for (const action of [
  'DescribeSecurityGroups',
  'DescribeSecurityGroupRules',
  'AddSecurityGroupRules',
  'ApplySecurityGroup',
  'DescribeJobs',
])
  test(`an answer of ${action} that is lost, or a refusal, leaves one rule for each block in the end, which is in force`, async () => {
    for (const effect of [{ kind: 'truncate' }, { kind: 'refuse', code: 5000 }, { kind: 'html' }]) {
      await using on = await scene();
      await on.double.fault(action, effect);
      await untilDone(on, on.driver());
      assert.deepEqual([ours(await on.rules()), await on.isApplied()], [[...pods], true], effect.kind);
    }
  });

test('after a call whose answer was lost no rule is added before lists can be believed', async () => {
  await using on = await scene();
  const group = on.driver();
  await on.double.fault('AddSecurityGroupRules', { kind: 'refuse', code: 5000 });
  const step = await group.next(pods);
  assert.ok(step);
  await assert.rejects(group.perform(step), fails('cloudUnavailable'));
  await assert.rejects(group.next(pods), fails('cloudUnavailable', /too old to tell/));
  on.wait(15_000);
  assert.match((await group.next(pods))?.text ?? '', /^let /);
});

test('an application that fails, or whose job nobody shows, is said and made again', async () => {
  for (const effect of [
    { kind: 'jobFails', outcome: 'failed' },
    { kind: 'jobFails', outcome: 'done with failure' },
  ]) {
    await using on = await scene();
    await on.double.fault('ApplySecurityGroup', effect);
    const group = on.driver();
    for (const begins of ['let', 'apply']) {
      const step = await group.next(pods);
      assert.ok(step !== undefined && step.text.startsWith(begins));
      await group.perform(step);
    }
    await assert.rejects(group.next(pods), fails('cloudConflict', new RegExp(effect.outcome)));
    assert.deepEqual(await untilDone(on, group), ['apply']);
    assert.ok(await on.isApplied());
  }
  await using on = await scene();
  await on.double.fault('ApplySecurityGroup', { kind: 'jobVanishes' });
  const group = on.driver();
  const waiting = untilDone(on, group);
  const hurry = setInterval(() => on.wait(1000), 50);
  assert.deepEqual(await waiting.finally(() => clearInterval(hurry)), ['let', 'apply', 'apply']);
});

test('a list that does not show yet that the group was applied is no reason to apply it again', async () => {
  await using on = await scene();
  const group = on.driver();
  const perform = async (): Promise<void> => {
    const step = await group.next(pods);
    assert.ok(step);
    await group.perform(step);
  };
  await perform();
  await on.double.turn({ jobs_ms: [1000, 1000] });
  const before_ms = performance.now();
  await perform();
  while (!(await on.isApplied())) await pause(10);
  const late = { call: 'DescribeSecurityGroups', effect: { kind: 'staleReads', ms: Math.ceil(performance.now() - before_ms) }, count: 1 };
  assert.ok((await on.double.own('POST', '/v1/faults', late)).status < 300);
  assert.equal(await group.next(pods), undefined);
  on.wait(16_000);
  assert.equal(await group.next(pods), undefined);
});

test('a process that ends between adding and applying leaves the rest to the next', async () => {
  await using on = await scene();
  const [before, after] = [on.driver(), on.driver()];
  const step = await before.next(pods);
  assert.ok(step);
  await before.perform(step);
  assert.equal(await on.isApplied(), false);
  assert.deepEqual(await untilDone(on, after), ['apply']);
  assert.deepEqual([ours(await on.rules()), await on.isApplied()], [[...pods], true]);
});

test('rules that others have changed and not applied are theirs to apply; one of ours that somebody took away is added again', async () => {
  await using on = await scene();
  const group = on.driver();
  await untilDone(on, group);
  assert.equal(await group.next(pods), undefined);
  on.wait(16_000);
  assert.equal(await group.next(pods), undefined);
  const theirs = { 'rules.1.action': 'drop', 'rules.1.priority': 9, 'rules.1.protocol': 'udp' };
  await on.double.ok('AddSecurityGroupRules', { security_group: on.group, ...theirs });
  assert.deepEqual([await group.next(pods), await on.isApplied()], [undefined, false]);
  const [one] = (await on.rules()).filter(({ val3 }) => val3 === pods[0]);
  await on.double.ok('DeleteSecurityGroupRules', { 'security_group_rules.1': one?.security_group_rule_id ?? '' });
  assert.deepEqual(await untilDone(on, group), ['let', 'apply']);
  assert.deepEqual(ours(await on.rules()), [...pods]);
});

test('a group that there is not, and actions that are denied, are named', async () => {
  await using on = await scene();
  const actions = ['DescribeSecurityGroups', 'DescribeSecurityGroupRules', 'AddSecurityGroupRules', 'ApplySecurityGroup'];
  using wrong = qingCloud({
    credentials: { from: 'file', path: on.keys },
    endpoint: `${on.double.url}/iaas`,
    zone,
    securityGroup: 'sg-00000000',
  });
  await assert.rejects(wrong.securityGroup?.next(pods) ?? Promise.resolve(), fails('cloudNotFound', /spec\.cloud\.securityGroup/));
  const vxnet = (await on.double.vxnet()) as SubnetId; // as the double calls it
  assert.deepEqual(await wrong.missingPermissions?.([vxnet]), []);
  await on.double.turn({ denied: actions });
  assert.deepEqual(await wrong.missingPermissions?.([vxnet]), actions);
  using without = qingCloud({ credentials: { from: 'file', path: on.keys }, endpoint: `${on.double.url}/iaas`, zone });
  assert.deepEqual([await without.missingPermissions?.([vxnet]), without.securityGroup], [[], undefined]);
});

test('with changes: false the group is looked at, and no rule is added', async () => {
  await using on = await scene();
  const where = cloudConfig.parse({
    type: 'qingcloud',
    endpoint: `${on.double.url}/iaas`,
    zone,
    credentialsFile: on.keys,
    securityGroup: on.group,
    changes: false,
  });
  using cloud = cloudOf(where, memoryCloud(virtualClock()), { subnets: () => [], fence: (driver) => driver, fenceSteps: (part) => part });
  const step = await cloud.securityGroup?.next(pods);
  assert.ok(step);
  await assert.rejects(cloud.securityGroup?.perform(step) ?? Promise.resolve(), fails('cloudChangesStopped', /let 10\.20\.1\.0/));
  assert.deepEqual(ours(await on.rules()), []);
});
