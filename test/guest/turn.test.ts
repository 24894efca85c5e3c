/** Which files of tests go into a guest. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guestFiles } from './turn.ts';

const names = ['kernel/address.test.ts', 'kernel/children.guest.ts', 'life/ipvlan.nft.guest.ts', 'life/lab.ts'];

test('a whole run takes every file for guests along, and what must pass on both kernels', () => {
  const files = guestFiles(names, []);
  assert.deepEqual(files.slice(-2), ['kernel/children.guest.ts', 'life/ipvlan.nft.guest.ts']);
  assert.ok(files.includes('kernel/address.test.ts'));
});

test('a part of a path takes those that match, and boots no guest for what runs here', () => {
  assert.deepEqual(guestFiles(names, ['life/']), ['life/ipvlan.nft.guest.ts']);
  assert.deepEqual(guestFiles(names, ['kernel/address']), []);
  assert.deepEqual(guestFiles(names, ['guest']), guestFiles(names, []));
});
