/** Pods by macvlan, with real packets. */
import { test } from 'node:test';
import { everySizeIsRight } from './underlay-mtu.ts';
import { everybodyReachesEverybody, livesAndEnds, servicesAreReached } from './underlay-matrix.ts';

const macvlan = { spec: 'datapath: macvlan' };

test('macvlan Pods reach Pods of every kind, nodes and VMs, and are reached by them, as themselves', () =>
  everybodyReachesEverybody(macvlan));
test('macvlan Pods reach Services through their node, and are reached through them', () => servicesAreReached(macvlan));
test('macvlan Pods: CHECK names drift, repair mends it, a killed agent finds them, DEL leaves nothing', () => livesAndEnds(macvlan));
test('macvlan Pods: packets of the full MTU pass on every way, the key mtu is kept, and who sends more is told', () =>
  everySizeIsRight('datapath: macvlan', ['eth0', 'node0']));
