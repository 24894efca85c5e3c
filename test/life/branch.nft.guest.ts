/** Pods with a branch of a trunk each, with real packets: nodes, fabric and VPC all in one guest, whose kernel has VLANs. */
import { test } from 'node:test';
import { everySizeIsRight } from './underlay-mtu.ts';
import { everybodyReachesEverybody, livesAndEnds, servicesAreReached } from './underlay-matrix.ts';
import { diesAtEachStep, namespaceVanishes, namesAreTaken } from './underlay-faults.ts';

const branch = { spec: 'datapath: branch' };

test('Pods with branches reach Pods of every kind, nodes and VMs, and are reached by them, as themselves', () =>
  everybodyReachesEverybody(branch));
test('Pods with branches reach Services through their node, and are reached through them', () => servicesAreReached(branch));
test('Pods with branches: CHECK names drift, repair mends it, a killed agent finds them, DEL leaves nothing', () => livesAndEnds(branch));
test('Pods with branches: packets of the full MTU pass on every way, the key mtu is kept, and who sends more is told', () =>
  everySizeIsRight(branch.spec, ['eth0', 'node0']));
test('a branch: an agent that dies at any step of ADD or DEL leaves nothing that the next call does not mend', () =>
  diesAtEachStep(branch.spec));
test('a branch: a namespace that vanishes is no loss', () => namespaceVanishes(branch.spec));
test('a branch: a link of that name in the Pod is refused by name', () => namesAreTaken(branch.spec));
