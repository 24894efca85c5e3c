/** The controller as it is installed before a real Neutron and Nova: SIGKILL around every kind of changing call. Its state is in a real API server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testDeaths } from '../clouds-under-fault/sigkill.ts';
import { openStackBed } from './bed.ts';
import { as } from './client.ts';
import { openStackKind } from './kind.ts';
import { lacksKube } from './kube-beside.ts';

test('the installed controller, killed around every kind of change, leaves no port and no reservation, gives nothing twice, and takes nothing in use', async (t) => {
  const lacks = lacksKube();
  if (lacks !== undefined) return t.skip(lacks);
  await using bed = await openStackBed();
  const demo = await as(bed, 'demo');
  await testDeaths(openStackKind(bed), t);
  assert.deepEqual((await demo.network('GET', '/ports?device_owner=flatpod:block')).body.ports, []);
});
