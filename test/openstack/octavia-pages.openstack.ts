/** An Octavia whose lists have two of each to a page. Its link to the next page has nothing of what was asked. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { LoadBalancers, Standing, WantedLoadBalancer } from '../../src/cloud/load-balancers.ts';
import { openStackCloud } from '../../src/cloud/openstack/openstack.ts';
import { parseIp } from '../../src/net/address.ts';
import { eventually } from '../life/lab.ts';
import { type OctaviaGround, octaviaGround } from './octavia-ground.ts';

const LIMIT_s = 120;
const cluster = { 'flatpod.dev/cluster': 'pages' };
let ground: OctaviaGround;

const wanted = (name: string, ports: readonly number[]): WantedLoadBalancer => ({
  tags: { ...cluster, 'flatpod.dev/service': name },
  name,
  families: [4],
  isInternal: true,
  listeners: ports.map((port) => ({
    transport: 'TCP',
    port,
    sources: [],
    members: [{ address: parseIp('10.20.0.9'), port: 8080, subnet: ground.subnet }],
  })),
});

/** Does what it says until it is so; what it did. */
async function settled(balancers: LoadBalancers, look: () => Promise<Standing>, end: Standing['state']): Promise<string[]> {
  const did: string[] = [];
  const isDone = async (): Promise<boolean> => {
    const { state, next } = await look();
    if (next === undefined) return state === end;
    did.push(next.kind);
    await balancers.perform(next);
    return false;
  };
  await eventually(`it is ${end}`, isDone, LIMIT_s);
  return did;
}

// A suite, so that the bed is there for these tests alone: hooks of a file would run before the first test of all files.
describe('an Octavia with short pages', () => {
  before(async () => {
    ground = await octaviaGround({ nova: false }, 2);
  });
  after(async () => ground?.[Symbol.asyncDispose]());

  test('three load balancers with three listeners each are made and found whole, and nothing of one is taken for another’s', async () => {
    using cloud = openStackCloud({ credentials: { variables: ground.bed.environment('demo') }, deadline_ms: 60_000 });
    const balancers = cloud.loadBalancers({ subnet: ground.subnet, algorithm: 'ROUND_ROBIN', monitor: false });
    const all = ['a', 'b', 'c'].map((name) => wanted(name, [80, 81, 82]));
    for (const want of all) assert.deepEqual(await settled(balancers, () => balancers.look(want), 'there'), ['create']);
    for (const want of all) assert.deepEqual(await settled(balancers, () => balancers.look(want), 'there'), []);
    assert.equal((await balancers.list(cluster)).length, 3);
    for (const { tags } of all) await settled(balancers, () => balancers.leave(tags), 'absent');
    assert.deepEqual(await ground.left(), []);
  });
});
