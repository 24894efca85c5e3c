/** Pods by macvlan, with real packets. */
import { test } from 'node:test';
import { everybodyReachesEverybody, livesAndEnds, servicesAreReached } from './underlay-matrix.ts';

const macvlan = { spec: 'datapath: macvlan' };

test('macvlan Pods reach Pods of every kind, nodes and VMs, and are reached by them, as themselves', () =>
  everybodyReachesEverybody(macvlan));
test('macvlan Pods reach Services through their node, and are reached through them', () => servicesAreReached(macvlan));
test('macvlan Pods: CHECK names drift, repair mends it, a killed agent finds them, DEL leaves nothing', () => livesAndEnds(macvlan));
