/**
 * An account that may do everything but one thing, or a cloud that refuses one kind of call for ever: that call is made again and again, but less and less
 * often, the others as always; people are told; and when the cloud does it again, all is as it should be.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cloud } from '../../src/cloud/cloud.ts';
import { pauseAfter } from '../../src/cloud/limits/backoff.ts';
import { type Decision, decisionFor } from '../../src/controller/refusal-table.ts';
import { notesOf } from '../../src/controller/notes.ts';
import { catalogue } from '../../src/errors/catalogue.ts';
import { Failure, failure } from '../../src/errors/failure.ts';
import { agent, type Agent, bench, type Bench, subnet } from './harness.ts';

const HOUR_ms = 3_600_000;
/** The longest pause there is, and a full read. */
const PATIENCE_ms = 900_000 + 200_000;
const MANY = 8;

type Call = Extract<keyof Cloud, 'createNic' | 'attachNic' | 'attachBranch' | 'detachNic' | 'deleteNic' | 'assign' | 'unassign'>;
const growing: readonly Call[] = ['assign', 'createNic', 'attachNic', 'attachBranch'];
const releasing: readonly Call[] = ['unassign', 'detachNic', 'deleteNic'];
// The keys of the catalogue are its names.
const kinds = Object.keys(catalogue).filter((name): name is keyof typeof catalogue => name.startsWith('cloud'));

function refusal(kind: keyof typeof catalogue, call: Call): Failure {
  return new Failure(kind, { cloud: 'memory', call, text: `no ${call} for you`, object: 'it', address: '10.20.0.9', holder: 'x' });
}

/** As often as a call is made in that time that is refused each time, and made anew after each pause. */
function mostIn(ms: number, { pause }: Decision): number {
  let [times, passed] = [0, 0];
  for (; passed < ms; times++) passed += pauseAfter(pause, times + 1, () => 0.5);
  return times;
}

interface Site extends Bench, AsyncDisposable {
  readonly node: Agent;
  /** Calls of that name, all that change something without one. */
  readonly made: (name?: Call) => number;
  /** What people read of the node. */
  readonly told: () => Promise<string>;
}

async function site(datapath?: 'branch'): Promise<Site> {
  const one = bench();
  const { cloud, networks } = one;
  const limits = { nics: 4, addressSlotsPerNic: 5, branches: MANY };
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), limits);
  const config = subnet('pods', { cloudSubnet: 'subnet-a', default: true, warm: { spare: 0 }, ...(datapath && { datapath }) });
  const running = await one.controller({ subnets: () => [config], tellSubnets: true });
  const node = await agent(networks, instance, config);
  return {
    ...one,
    node,
    made: (name) => one.changes().filter((each) => name === undefined || each === name).length,
    async told() {
      const { growth, conditions = [] } = await one.status();
      return [...growth.map(({ stoppedBy, text }) => `${stoppedBy}: ${text}`), ...conditions.map(({ message }) => message)].join('\n');
    },
    async [Symbol.asyncDispose]() {
      node.stop();
      await running.stop();
    },
  };
}

for (const call of growing) {
  test(`${call} refused for good, whatever the reason: it is asked for ever more seldom, and nothing is made and deleted in turn`, async () => {
    for (const kind of kinds) {
      await using at = await site(call === 'attachBranch' ? 'branch' : undefined);
      const { clock, cloud, node, made, told } = at;
      const decision = decisionFor(refusal(kind, call));
      cloud.fault = ({ name }) => (name === call ? refusal(kind, call) : 'none');
      await node.want(MANY);
      await clock.advance(HOUR_ms);
      const [refused, others] = [made(call), made() - made(call)];
      // What did not fit is asked for again at once, by half.
      const halves = decision.next === 'less' ? refused : 0;
      assert.ok(refused >= 2 && refused <= mostIn(HOUR_ms, decision) + halves, `${kind}: ${refused} times ${call} in an hour`);
      assert.ok(others <= 4, `${kind}: ${others} other calls, ${at.changes().join(' ')}`);
      assert.equal(made('deleteNic'), 0, kind);
      const text = await told();
      assert.ok(text.startsWith(`${decision.stoppedBy}: `) && text.includes(refusal(kind, call).message), `${kind}: ${text}`);
      // Interfaces that are of no use now stay ours.
      const loose = cloud.truth().filter(({ attachment, branch }) => attachment === undefined && branch === undefined);
      assert.ok(loose.length <= 1 && (notesOf(await at.status())?.intents.length ?? 0) >= loose.length, kind);
      cloud.fault = () => 'none';
      await clock.advance(PATIENCE_ms);
      assert.equal(node.leases.length, MANY, `${kind}: all Pods are served`);
      assert.match(await told(), /^none: /, kind);
    }
  });
}

for (const call of releasing) {
  test(`${call} refused for good, whatever the reason: it is asked for ever more seldom, the node says so, and serves on`, async () => {
    for (const kind of kinds) {
      await using at = await site();
      const { clock, cloud, node, made, told } = at;
      const decision = decisionFor(refusal(kind, call));
      await node.want(MANY);
      await clock.advance(PATIENCE_ms);
      assert.equal(node.leases.length, MANY);
      const before = made();
      cloud.fault = ({ name }) => (name === call ? refusal(kind, call) : 'none');
      await node.want(0);
      await clock.advance(HOUR_ms);
      const [refused, others] = [made(call), made() - before - made(call)];
      // The sweeper asks too, for what lies about.
      const sweeps = call === 'deleteNic' ? 1 : 0;
      const most = mostIn(HOUR_ms, decision) + sweeps * mostIn(HOUR_ms, { ...decision, pause: 'settled' });
      assert.ok(refused >= 2 && refused <= most, `${kind}: ${refused} times ${call} in an hour, at most ${most}`);
      assert.ok(others <= 4, `${kind}: ${others} other calls`);
      const text = await told();
      assert.match(text, /Pods on this node get addresses; .* is not given back: /, kind);
      assert.ok(text.includes(refusal(kind, call).message), `${kind}: ${text}`);
      await node.want(MANY);
      await clock.advance(PATIENCE_ms);
      assert.equal(node.leases.length, MANY, `${kind}: Pods are served all the same`);
      await node.want(0);
      cloud.fault = () => 'none';
      await clock.advance(2 * PATIENCE_ms);
      assert.deepEqual([cloud.truth().length, cloud.truth()[0]?.blocks], [1, []], `${kind}: all went back`);
      assert.match(await told(), /Pods on this node get addresses$/, kind);
    }
  });
}

test('an account that may not detach gives addresses back as fast as ever', async () => {
  await using at = await site();
  const { clock, cloud, node } = at;
  cloud.fault = ({ name }) => (name === 'detachNic' ? refusal('cloudDenied', 'detachNic') : 'none');
  for (let turn = 0; turn < 5; turn++) {
    await node.want(MANY);
    await clock.advance(120_000);
    assert.equal(node.leases.length, MANY);
    await node.want(0);
    await clock.advance(120_000);
    assert.deepEqual(
      cloud.truth().flatMap(({ blocks }) => blocks),
      [],
    );
  }
});

test('Pods that come and go do not make an account that may not attach ask more often', async () => {
  await using at = await site();
  const { clock, cloud, node, made } = at;
  cloud.fault = ({ name }) => (name === 'attachNic' ? refusal('cloudDenied', 'attachNic') : 'none');
  for (let passed_ms = 0; passed_ms < HOUR_ms; passed_ms += 240_000) {
    await node.want(MANY);
    await clock.advance(120_000);
    await node.want(1);
    await clock.advance(120_000);
  }
  const most = mostIn(HOUR_ms, decisionFor(refusal('cloudDenied', 'attachNic')));
  assert.ok(made('attachNic') <= most && made('createNic') <= most, at.changes().join(' '));
});

test('a node that leaves is not done while the cloud refuses to take back what it has', async () => {
  await using at = await site();
  const { clock, cloud, networks, node, told } = at;
  await node.want(MANY);
  await clock.advance(120_000);
  await node.want(0);
  cloud.fault = ({ name }) => (name === 'detachNic' ? refusal('cloudDenied', 'detachNic') : 'none');
  node.stop();
  const spec = (await networks.get('n1'))?.spec;
  assert.ok(spec !== undefined);
  await networks.writeSpec('n1', { ...spec, draining: 'now', returned: (await at.status()).nics.flatMap(({ blocks }) => blocks) });
  for (let passed_ms = 0; passed_ms < HOUR_ms; passed_ms += 60_000) {
    await clock.advance(60_000);
    const returned = (await at.status()).nics.flatMap(({ blocks }) => blocks);
    await networks.writeSpec('n1', { ...spec, draining: 'now', returned });
    assert.equal((await at.status()).settled, undefined);
  }
  assert.match(await told(), /the node is leaving .*; what it does not need is not given back: .*detachNic/);
  cloud.fault = () => 'none';
  await clock.advance(PATIENCE_ms);
  assert.equal((await at.status()).settled, 'now');
  assert.equal(cloud.truth().length, 1);
});

test('while nothing may be unplugged, whole interfaces that are to go stay granted: node and controller do not write to each other without end', async () => {
  const one = bench();
  const instance = one.cloud.launch('i-1', one.cloud.addSubnet('subnet-a', '10.20.0.0/24'), {
    nics: 8,
    addressSlotsPerNic: 5,
    ipv6SlotsPerNic: 5,
  });
  const config = subnet('pods', { cloudSubnet: 'subnet-a', default: true, datapath: 'nic', warm: { spare: 0 } });
  one.subnets = [config];
  const running = await one.controller();
  const node = await agent(one.networks, instance, config);
  await node.want(3);
  await one.clock.advance(180_000);
  assert.equal(node.leases.length, 3);
  one.cloud.fault = ({ name }) => (name === 'detachNic' ? failure('cloudDenied', { cloud: 'memory', call: name, text: 'no' }) : 'none');
  await node.want(0);
  one.subnets = [];
  await running.subnetsChanged();
  await one.clock.advance(20_000);
  const before = one.networks.statusWrites() + node.writes();
  await one.clock.advance(60_000);
  const more = one.networks.statusWrites() + node.writes() - before;
  assert.ok(more < 30, `${more} writes in a minute`);
  one.cloud.fault = () => 'none';
  await one.clock.advance(1_800_000);
  assert.equal((await one.status()).nics.length, 1);
  node.stop();
  await running.stop();
});
