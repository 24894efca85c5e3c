/** The whole life of a NIC, ended after each of its calls, and with each of its answers lost: at the end nothing is left, and nothing in use was given back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { Cloud, CreateNic, InstanceId, SubnetId } from '../../src/cloud/cloud.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { cutAt } from './cut.ts';
import { qingGround, type QingGround } from './ground.ts';

const cluster = { tags: { 'flatpod.dev/cluster': 'c' } };
/** Of a life that nothing disturbs. */
const LIFE = [
  'CreateNics',
  'AllocateVips',
  'AllocateVips',
  'AttachNics',
  'AllocateVips',
  'ReleaseVips',
  'DetachNics',
  'DeleteNics',
  'ReleaseVips',
];

const pause = () => new Promise((resolve) => setTimeout(resolve, 20));

interface Stage {
  readonly ground: QingGround;
  readonly subnet: SubnetId;
  readonly instance: InstanceId;
  readonly free: number;
}

async function stage(): Promise<Stage & AsyncDisposable> {
  const ground = await qingGround({ jobs_ms: [1, 5] });
  const subnet = await ground.subnet('10.20.0.0/24', 'a');
  const instance = await ground.launch('one', subnet);
  const [{ free4 } = { free4: 0 }] = await ground.driver().subnets([subnet]);
  return { ground, subnet, instance, free: free4, [Symbol.asyncDispose]: () => ground[Symbol.asyncDispose]() };
}

const request = (subnet: SubnetId, token: string): CreateNic => ({
  clientToken: token,
  subnet,
  securityGroups: [],
  tags: { ...cluster.tags, 'flatpod.dev/node': 'n1', 'flatpod.dev/intent': token },
  description: '',
  want: { addresses4: 2, prefixes4: 1 },
});

/** Each step may be made again; `again` makes it. */
async function life(
  cloud: Cloud,
  { subnet, instance }: Stage,
  token: string,
  again: <T>(step: () => Promise<T>) => Promise<T>,
): Promise<void> {
  const { id, blocks } = await again(() => cloud.createNic(request(subnet, token)));
  await again(() => cloud.attachNic(id, instance, 1));
  const more = [parseCidr('10.20.0.96/28')];
  await again(() => cloud.assign(id, { these: more }));
  const held = async (): Promise<readonly string[]> => (await cloud.nics({ ids: [id] }))[0]?.blocks.toSorted() ?? [];
  const wanted = [...blocks, ...more].sort();
  for (let look = 0; look < 100 && !isDeepStrictEqual(await held(), wanted); look++) await pause();
  assert.deepEqual(await held(), wanted, 'nothing in use was given back');
  await again(() => cloud.unassign(id, more));
  await again(() => cloud.detachNic(id));
  while ((await cloud.nics({ ids: [id] })).some(({ attachment }) => attachment !== undefined)) await pause();
  await again(() => cloud.deleteNic(id));
}

/** Asks again after such refusals, as the controller does. */
function patiently(kinds: readonly string[]): { again: <T>(step: () => Promise<T>) => Promise<T>; failures: () => number } {
  let failures = 0;
  const again = async <T>(step: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await step();
      } catch (error) {
        assert.ok(isFailure(error) && kinds.includes(error.kind) && ++failures < 100, String(error));
        await pause();
      }
    }
  };
  return { again, failures: () => failures };
}

/** As the controller does when a node is gone. */
async function sweep(cloud: Cloud): Promise<void> {
  for (let look = 0; look < 200; look++) {
    const left = await cloud.nics(cluster);
    if (left.length === 0) return;
    for (const { id, attachment } of left) {
      // What another process began may be under way: then the next look does it.
      if (attachment === undefined) await cloud.deleteNic(id).catch(unlessConflict);
      else await cloud.detachNic(id).catch(unlessConflict);
    }
    await pause();
  }
  assert.fail('there are NICs of the cluster left');
}

function unlessConflict(error: unknown): void {
  if (!isFailure(error, 'cloudConflict')) throw error;
}

async function nothingIsLeft({ ground, subnet, instance, free }: Stage, words: string): Promise<void> {
  const cloud = ground.driver();
  assert.equal((await cloud.nics({ instance })).length, 1, words);
  for (let look = 0; look < 100; look++) {
    const [found] = await cloud.subnets([subnet]);
    if (found?.free4 === free) return;
    await pause();
  }
  assert.fail(`addresses are left: ${words}`);
}

test('a process that ends after any of its calls leaves nothing that a sweep does not find', async () => {
  await using on = await stage();
  for (const [number, action] of LIFE.entries()) {
    const words = `ended after ${action}, number ${number}`;
    await using cut = await cutAt(new URL(on.ground.endpoint).origin, number, true);
    const cloud = on.ground.driver({ endpoint: `${cut.origin}/iaas` });
    await assert.rejects(
      life(cloud, on, `t${number}`, (step) => step()),
      words,
    );
    assert.deepEqual(cut.changes, LIFE.slice(0, number + 1), words);
    cloud[Symbol.dispose]();
    await sweep(on.ground.driver());
    await nothingIsLeft(on, words);
  }
});

test('a lost answer of any call is made good by reading back and asking again', async () => {
  await using on = await stage();
  for (const [number, action] of LIFE.entries()) {
    const words = `the answer of ${action}, number ${number}, was lost`;
    await using cut = await cutAt(new URL(on.ground.endpoint).origin, number, false);
    const cloud = on.ground.driver({ endpoint: `${cut.origin}/iaas` });
    const patient = patiently(['cloudUnavailable', 'cloudConflict']);
    await life(cloud, on, `t${number}`, patient.again);
    assert.ok(patient.failures() > 0, words);
    // A delete whose second half was lost is a NIC that is gone: the sweep finds what is left.
    await sweep(cloud);
    await nothingIsLeft(on, words);
  }
});

test('where all lists are old, everything comes about in the end, and nothing is left', async () => {
  await using on = await stage();
  const lag = { call: '*', effect: { kind: 'staleReads', ms: 300 } };
  assert.ok((await on.ground.vpc.call('POST', '/v1/faults', lag)).status < 300);
  const cloud = on.ground.driver();
  const patient = patiently(['cloudUnavailable', 'cloudConflict', 'cloudNotFound']);
  await life(cloud, on, 't', patient.again);
  await sweep(cloud);
  await nothingIsLeft(on, 'lists were old');
});
