/** A life of an interface in which one call after the other is lost on its way, or its answer is: repeated, it ends as if nothing had been. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AwsCloud } from '../../src/cloud/aws/aws.ts';
import type { Cloud, CloudNic, InstanceId, SubnetId } from '../../src/cloud/cloud.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { awsBed } from './ground.ts';
import { type Loss, wire } from './wire.ts';

interface Life {
  readonly cloud: AwsCloud;
  readonly subnet: SubnetId;
  readonly instance: InstanceId;
  readonly token: string;
  /** What the controller does between two attempts: it waits. */
  readonly wait: () => void;
}

/** Repeats what was unclear, or in another state than it will be. */
async function sure<T>({ cloud, wait }: Life, call: (cloud: Cloud) => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call(cloud);
    } catch (error) {
      if (attempt > 3 || !(isFailure(error, 'cloudUnavailable') || isFailure(error, 'cloudConflict'))) throw error;
      wait();
    }
  }
}

const tags = { 'flatpod.dev/cluster': 'c', 'flatpod.dev/node': 'n1' };
const born = ['10.20.0.77/32', '2001:db8:20:0:9::/80'].map(parseCidr);
const these = ['10.20.0.78/32', '2001:db8:20::78/128'].map(parseCidr);

/** From birth to death, with everything in between. */
async function live(life: Life): Promise<void> {
  const request = { clientToken: life.token, subnet: life.subnet, securityGroups: [], tags, description: '' };
  const ours = (): Promise<CloudNic[]> => sure(life, (cloud) => cloud.nics({ tags }));
  const made = await sure(life, (cloud) => cloud.createNic({ ...request, want: { these: born, addresses4: 1 } }));
  const [only, ...more] = await ours();
  assert.deepEqual(
    [only?.id, more.length, only?.blocks.length, born.every((block) => only?.blocks.includes(block))],
    [made.id, 0, 3, true],
  );
  await sure(life, (cloud) => cloud.attachNic(made.id, life.instance, 1));
  assert.deepEqual(await sure(life, (cloud) => cloud.assign(made.id, { these })), these);
  assert.equal((await ours())[0]?.blocks.length, 5);
  await sure(life, (cloud) => cloud.unassign(made.id, [...these, ...born]));
  const [left] = await ours();
  assert.deepEqual([left?.blocks.length, left?.attachment?.deviceIndex], [1, 1]);
  await sure(life, (cloud) => cloud.detachNic(made.id));
  await sure(life, (cloud) => cloud.deleteNic(made.id));
  assert.deepEqual(await ours(), []);
}

test('whichever call is lost, or its answer, the interface is made once, has what was asked, and is gone in the end', async () => {
  await using bed = await awsBed();
  await using between = await wire(bed.url);
  const subnet = await bed.subnet('10.20.0.0/24', { cidr6: '2001:db8:20::/64' });
  const instance = await bed.launch(subnet);
  let lives = 0;
  const life = async (lose?: { readonly call: number; readonly what: Loss }): Promise<number> => {
    // Each begins with a memory of its own. The clock goes on while it waits, so that what is young grows old.
    let waited_ms = 0;
    const cloud = bed.driver({ endpoint: between.url, now_ms: () => Date.now() + waited_ms });
    between.calls.length = 0;
    between.lose = ({ number }) => (lose?.call === number ? lose.what : undefined);
    await live({ cloud, subnet, instance, token: `life-${++lives}`, wait: () => (waited_ms += 61_000) });
    return between.calls.length;
  };
  const calls = await life();
  assert.ok(calls > 12, `${calls} calls`);
  for (let call = 1; call <= calls; call++) for (const what of ['request', 'answer'] as const) await life({ call, what });
});
