/** What Pods with a service veth reach through the node. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { viaNode } from '../../src/agent/via-node.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { nodeConfig } from '../../src/store/node-config.ts';

test('the node itself, the Services that its file or the controller names, and what its file adds, each once', () => {
  const addresses = ['10.20.0.4', '127.0.0.1', '169.254.1.1', '2001:db8::4', 'fe80::1'].map((text) => ({
    link: 2,
    address: parseIp(text),
    length: text.includes(':') ? 64 : 24,
  }));
  const { spec } = nodeConfig.parse({
    apiVersion: 'flatpod.dev/v1alpha1',
    kind: 'NodeConfig',
    metadata: { name: 'n1' },
    spec: { cluster: {}, serviceCidrs: ['10.96.0.0/16'], viaNode: ['169.254.20.10'] },
  });
  const own = ['10.20.0.4/32', '10.96.0.0/16', '169.254.20.10/32', '2001:db8::4/128'];
  assert.deepEqual(viaNode(addresses, spec, undefined), own);
  assert.deepEqual(viaNode(addresses, spec, { log: 'debug' }), own);
  const told = ['10.97.0.0/16', '10.96.7.0/24', 'fd00:96::/112'].map(parseCidr);
  assert.deepEqual(
    new Set<string>(viaNode(addresses, spec, { serviceCidrs: told })),
    new Set([...own.filter((cidr) => cidr !== '10.96.0.0/16'), '10.96.0.0/15', 'fd00:96::/112']),
    'neighbours are one block',
  );
});
