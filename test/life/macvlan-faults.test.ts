/** Faults around Pods by macvlan, and around the NIC that they stand on. */
import { test } from 'node:test';
import { diesAtEachStep, goesWrong, serviceVethDamages } from './underlay-faults.ts';

const spec = 'datapath: macvlan';

test('macvlan: an agent that dies at any step of ADD or DEL leaves nothing that the next call does not mend', () => diesAtEachStep(spec));

test('macvlan: what goes wrong around a Pod is said, and no loss', (t) =>
  goesWrong(t, spec, {
    damages: [
      ...serviceVethDamages,
      ['ip link set eth0 type macvlan mode private', /macvlan bridge eth0 .*: its mode is private/],
      ['ip link set eth0 address 02:00:00:00:be:ef', /macvlan bridge eth0 .*: its MAC is 02:00:00:00:be:ef/],
      ['ip link set eth0 mtu 1300', /macvlan bridge eth0 .*: its MTU is 1300/],
    ],
    pull: ({ node, parent }) => node.ip(`link del ${parent}`),
  }));
