/** Pods by ipvlan, with real packets: nodes, fabric and VPC all in one guest, whose kernel has ipvlan. */
import { test } from 'node:test';
import { everybodyReachesEverybody, livesAndEnds, servicesAreReached } from './underlay-matrix.ts';
import { diesAtEachStep, namespaceVanishes, namesAreTaken } from './underlay-faults.ts';

const ipvlan = { spec: 'datapath: ipvlan' };

test('ipvlan l2: Pods reach Pods of every kind, nodes and VMs, and are reached by them, as themselves', () =>
  everybodyReachesEverybody(ipvlan));
test('ipvlan l2: Pods reach Services through their node, and are reached through them', () => servicesAreReached(ipvlan));
test('ipvlan l3: Pods reach Pods of every kind, nodes and VMs, and are reached by them, as themselves', () =>
  everybodyReachesEverybody({ spec: 'datapath: ipvlan, mode: l3' }));
test('ipvlan l3s: Pods reach Services through their node, and are reached through them', () =>
  servicesAreReached({ spec: 'datapath: ipvlan, mode: l3s' }));
test('ipvlan: CHECK names drift, repair mends it, a killed agent finds the Pods, DEL leaves nothing', () => livesAndEnds(ipvlan));
test('ipvlan: an agent that dies at any step of ADD or DEL leaves nothing that the next call does not mend', () =>
  diesAtEachStep(ipvlan.spec));
test('ipvlan: a namespace that vanishes is no loss', () => namespaceVanishes(ipvlan.spec));
test('ipvlan: a link of that name in the Pod is refused by name', () => namesAreTaken(ipvlan.spec));
