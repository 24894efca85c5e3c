/** Pods by ipvlan, with real packets: nodes, fabric and VPC all in one guest, whose kernel has ipvlan. */
import { test } from 'node:test';
import { everybodyReachesEverybody, livesAndEnds, servicesAreReached } from './underlay-matrix.ts';

for (const mode of ['l2', 'l3', 'l3s']) {
  const under = { spec: `datapath: ipvlan, mode: ${mode}` };
  test(`ipvlan ${mode}: Pods reach Pods of every kind, nodes and VMs, and are reached by them, as themselves`, () =>
    everybodyReachesEverybody(under));
  test(`ipvlan ${mode}: Pods reach Services through their node, and are reached through them`, () => servicesAreReached(under));
}
test('ipvlan: CHECK names drift, repair mends it, a killed agent finds the Pods, DEL leaves nothing', () =>
  livesAndEnds({ spec: 'datapath: ipvlan' }));
