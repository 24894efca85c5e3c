/** The controller as it is installed before EC2's API in front of the emulated VPC: SIGKILL around every kind of changing call. Its state is in a real API server. */
import { test } from 'node:test';
import { lacksKube } from '../openstack/kube-beside.ts';
import { fronts } from './fronts.ts';
import { testDeaths } from './sigkill.ts';

for (const kind of fronts.filter(({ name }) => name === 'aws'))
  test(`${kind.name}: the installed controller, killed around every kind of change, leaks nothing, gives nothing twice, and takes nothing in use`, async (t) => {
    const lacks = lacksKube();
    if (lacks !== undefined) return t.skip(lacks);
    await testDeaths(kind, t);
  });
