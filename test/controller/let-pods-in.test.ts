/** Pods let in by a security group: from which blocks, how often, and what is said of refusals. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowedSteps } from '../../src/cloud/limits/steps.ts';
import type { SecurityGroup } from '../../src/cloud/security-group.ts';
import { letPodsIn } from '../../src/controller/cluster/let-pods-in.ts';
import { factsOf } from '../../src/controller/facts.ts';
import { failure } from '../../src/errors/failure.ts';
import { createLog } from '../../src/log.ts';
import { podSubnet, type PodSubnet } from '../../src/store/pod-subnet.ts';
import { memoryCloud } from '../cloud/memory-cloud.ts';
import { virtualClock } from '../cloud/virtual-clock.ts';

function scene(perform?: SecurityGroup['perform'], changes = true) {
  const clock = virtualClock();
  const cloud = memoryCloud(clock);
  const [a, b] = [cloud.addSubnet('subnet-1', '10.20.1.0/24'), cloud.addSubnet('subnet-2', '10.20.2.0/24')];
  const inOne = (name: string, cloudSubnet: string): PodSubnet =>
    podSubnet.parse({ apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name }, spec: { cloudSubnet } });
  const asked: string[][] = [];
  const letIn = new Set<string>();
  const group: SecurityGroup = {
    name: 'test',
    next(blocks) {
      asked.push([...blocks]);
      const block = blocks.find((one) => !letIn.has(one));
      const send = () => Promise.resolve(void (block !== undefined && letIn.add(block)));
      return Promise.resolve(block === undefined ? undefined : { kind: 'assign', isRelease: false, text: `let ${block} in`, send });
    },
    perform: perform ?? ((step) => step.send()),
  };
  const lines: string[] = [];
  const subnets = [inOne('one', a), inOne('two', a)];
  const letting = letPodsIn({
    group: allowedSteps(group, { changes, releases: true }),
    subnets: () => subnets,
    facts: factsOf(cloud, clock, 0),
    clock,
    log: createLog('test', 'info', (line) => lines.push(line)),
    random: () => 0.5,
  });
  return { clock, letting, asked, letIn, lines, addSubnet: () => void subnets.push(inOne('three', b)) };
}

test('each block of PodSubnets is let in once, that of a new PodSubnet as soon as it is there, and the group is looked at again now and then', async () => {
  const { clock, letting, asked, letIn, addSubnet } = scene();
  await clock.advance(10);
  assert.deepEqual([[...letIn], asked], [['10.20.1.0/24'], [['10.20.1.0/24'], ['10.20.1.0/24']]]);
  addSubnet();
  letting.subnetsChanged();
  await clock.advance(1000);
  assert.deepEqual([...letIn], ['10.20.1.0/24', '10.20.2.0/24']);
  letIn.clear();
  await clock.advance(301_000);
  assert.deepEqual([...letIn], ['10.20.1.0/24', '10.20.2.0/24'], 'somebody took them away');
  await letting.stop();
});

test('what is refused is said once, tried again ever more seldom, and done when it is allowed', async () => {
  let isDenied = true;
  const { clock, letting, asked, letIn, lines } = scene(async (step) => {
    if (isDenied) throw failure('cloudDenied', { cloud: 'test', call: step.text, text: '1400: PermissionDenied' });
    await step.send();
  });
  await clock.advance(600_000);
  assert.ok(asked.length > 3 && asked.length < 20, `${asked.length} tries in ten minutes`);
  assert.equal(lines.filter((line) => line.includes('Pods may not be let in') && line.includes('1400: PermissionDenied')).length, 1);
  isDenied = false;
  await clock.advance(900_000);
  assert.deepEqual([...letIn], ['10.20.1.0/24']);
  await letting.stop();
});

test('with changes: false no step is taken, which is said once', async () => {
  const { clock, letting, letIn, lines } = scene(undefined, false);
  await clock.advance(120_000);
  assert.deepEqual([...letIn], []);
  assert.equal(lines.filter((line) => line.includes('let 10.20.1.0/24 in')).length, 1);
  await letting.stop();
});
