/** Keys that are exchanged while the controller runs, for the clouds whose servers need nothing but this repository. */
import { test } from 'node:test';
import { lacksKube } from '../openstack/kube-beside.ts';
import { keysAreExchanged } from './exchanged-keys.ts';
import { lockedKinds } from './rotated.ts';

for (const kind of lockedKinds)
  test(
    `${kind.name}: keys in a mounted Secret are exchanged while the controller runs: it says that the old one is refused, goes on by the new one, and neither stands anywhere`,
    { skip: lacksKube() ?? false },
    () => keysAreExchanged(kind),
  );
