/** Faults around Pods by macvlan, and around the NIC that they stand on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from './lab.ts';
import { addWhenReady, inside } from './underlay.ts';
import { diesAtEachStep, interfaceIsPulled, labWith, namespaceVanishes, namesAreTaken } from './underlay-faults.ts';

const spec = 'datapath: macvlan';

test('macvlan: an agent that dies at any step of ADD or DEL leaves nothing that the next call does not mend', () => diesAtEachStep(spec));
test('macvlan: a namespace that vanishes is no loss', () => namespaceVanishes(spec));
test('macvlan: a link of that name in the Pod is refused by name', () => namesAreTaken(spec));

test('macvlan: the parent is renamed, gets another MAC, goes down: Pods go on or are mended, and new ones are served', async () => {
  await using lab = await labWith(spec);
  const node = lab.node(0);
  const [first, second] = [node.container(), node.container()];
  const [one = ''] = await addWhenReady(node, first);
  const whole = async (): Promise<boolean> => (await node.ask<{ differences: string[] }>('check')).differences.length === 0;
  node.ip('link set eth1 down');
  await eventually('up again', whole);
  node.ip('link set eth1 down');
  node.ip('link set eth1 name lan7');
  node.ip('link set lan7 up');
  await eventually('whole under its new name', whole);
  const [two = ''] = await addWhenReady(node, second);
  assert.match(inside(first.netns, `ping -c 1 -W 2 ${two}`), /1 received/);
  assert.match(inside(second.netns, `ping -c 1 -W 2 ${one}`), /1 received/);
});

test('macvlan: the parent is pulled and plugged in again: Pods get their links again', () =>
  interfaceIsPulled(spec, (node) => node.ip('link del eth1')));
