/** Which plugin a request is for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pluginOf } from '../../src/cni/plugins.ts';

test('the name that the executable was started under says which plugin is asked; a renamed one is the main plugin', () => {
  const asked = ['flatpod', 'flatpod-ipam', 'host-local', 'static', 'whereabouts', 'veth-to-host', 'renamed'];
  assert.deepEqual(
    asked.map((name) => pluginOf(new Map([['FLATPOD_PLUGIN', name]]))),
    ['flatpod', 'ipam', 'ipam', 'ipam', 'ipam', 'veth-to-host', 'flatpod'],
  );
  assert.equal(pluginOf(new Map()), 'flatpod');
});
