/** What was refused of a PodSubnet is forgotten when that is another. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forgetChanged } from '../../src/controller/changed-specs.ts';
import { blankMemory } from '../../src/controller/memory.ts';
import { growthKey } from '../../src/controller/refused.ts';
import { podSubnet, type PodSubnet } from '../../src/store/pod-subnet.ts';

const pause = { stop: { stoppedBy: 'subnet', text: 'full' }, until_ms: 1_000_000 } as const;
const inBlocks = (name: string, within: readonly string[]): PodSubnet =>
  podSubnet.parse({ apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name }, spec: { cloudSubnet: 'vxnet-1', within } });

test('a pause ends when the PodSubnet has other blocks, and goes on when it was only read again or another one has changed', () => {
  const memory = blankMemory(0);
  const [shop, web] = [inBlocks('shop', ['10.0.0.0/28']), inBlocks('web-shop', ['10.0.1.0/28'])];
  forgetChanged(memory, [shop, web]);
  for (const subnet of ['shop', 'web-shop']) {
    memory.growthPauses.set(subnet, pause);
    memory.growthRefused.set(growthKey({ do: 'assign', subnet }), { times: 3, pause });
    memory.mostAtOnce.set(subnet, 1);
  }
  forgetChanged(memory, [inBlocks('shop', ['10.0.0.0/28']), web]);
  assert.deepEqual([...memory.growthPauses.keys()], ['shop', 'web-shop']);
  forgetChanged(memory, [inBlocks('shop', ['10.0.0.0/28', '10.0.2.0/28']), web]);
  assert.deepEqual([...memory.growthPauses.keys()], ['web-shop']);
  assert.deepEqual([...memory.growthRefused.keys()], ['assign web-shop']);
  assert.deepEqual([...memory.mostAtOnce.keys()], ['web-shop']);
  forgetChanged(memory, [web]);
  assert.deepEqual([...memory.specs.keys()], ['web-shop']);
});

test('a PodSubnet that was deleted has nothing left of its refusals when it is made again', () => {
  const memory = blankMemory(0);
  const shop = inBlocks('shop', ['10.0.0.0/28']);
  forgetChanged(memory, [shop]);
  memory.growthPauses.set('shop', pause);
  memory.growthRefused.set(growthKey({ do: 'create', subnet: 'shop' }), { times: 9, pause });
  memory.mostAtOnce.set('shop', 1);
  forgetChanged(memory, []);
  forgetChanged(memory, [shop]);
  assert.deepEqual([memory.growthPauses.size, memory.growthRefused.size, memory.mostAtOnce.size], [0, 0, 0]);
});
