/** Pods that have a NIC for themselves, with real packets. */
import { test } from 'node:test';
import { everySizeIsRight } from './underlay-mtu.ts';
import { everybodyReachesEverybody, livesAndEnds, servicesAreReached } from './underlay-matrix.ts';

const nic = { spec: 'datapath: nic' };

test('Pods with a NIC of their own reach Pods of every kind, nodes and VMs, and are reached by them, as themselves', () =>
  everybodyReachesEverybody(nic));
test('Pods with a NIC of their own reach Services through their node, and are reached through them', () => servicesAreReached(nic));
test('Pods with a NIC of their own: CHECK names drift, repair mends it, a killed agent finds them, DEL leaves nothing', () =>
  livesAndEnds(nic));
test('Pods with a NIC of their own: packets of the full MTU pass on every way, the key mtu is kept, and who sends more is told', () =>
  everySizeIsRight('datapath: nic', ['eth0', 'node0']));
