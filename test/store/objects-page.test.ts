/** docs/objects.md shows objects that are right. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipClaimSpec } from '../../src/store/ip-claim.ts';
import { checkSubnet } from '../../src/store/cross-checks.ts';
import { podSubnet } from '../../src/store/pod-subnet.ts';
import { objectsShown } from './objects-page.ts';

test('every object of docs/objects.md is read without a mistake', () => {
  const shown = objectsShown();
  assert.deepEqual(
    shown.map(({ kind }) => kind),
    ['PodSubnet', 'PodSubnet', 'PodSubnet', 'PodSubnet', 'PodSubnet', 'PodSubnet', 'IPClaim'],
  );
  for (const object of shown) {
    if (object.kind === 'IPClaim') ipClaimSpec.parse(object.spec);
    else assert.deepEqual(checkSubnet(podSubnet.parse(object)), []);
  }
});
