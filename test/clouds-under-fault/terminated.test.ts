/** Machines that end while interfaces attach, before each server; before OpenStack's in test/openstack/slow.openstack.ts. */
import { test } from 'node:test';
import { fronts } from './fronts.ts';
import { lifeThatEndsAttaching } from './terminated.ts';

for (const kind of fronts)
  for (const what of ['request', 'answer'] as const)
    test(`${kind.name}: of a machine that is terminated before the ${what} of its attachment arrives nothing is left, and of others nothing is taken`, () =>
      lifeThatEndsAttaching(kind, what));
