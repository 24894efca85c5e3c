/** Faults around Pods that have a NIC for themselves. */
import { test } from 'node:test';
import { inside } from './underlay.ts';
import { diesAtEachStep, interfaceIsPulled, namespaceVanishes, namesAreTaken } from './underlay-faults.ts';

const spec = 'datapath: nic';

test('a NIC of a Pod: an agent that dies at any step of ADD or DEL leaves nothing that the next call does not mend', () =>
  diesAtEachStep(spec));
test('a NIC of a Pod: a namespace that vanishes is no loss', () => namespaceVanishes(spec));
test('a NIC of a Pod: a link of that name in the Pod is refused by name', () => namesAreTaken(spec));

test('a NIC of a Pod is pulled out and plugged in again: the Pod has it again', () =>
  interfaceIsPulled(spec, (_node, pod) => inside(pod.netns, 'ip link del eth0')));
