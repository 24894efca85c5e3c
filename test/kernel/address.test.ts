/** Interface addresses over rtnetlink, against the kernel and `ip -j`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeAddress, deleteAddress, dumpAddresses, newAddress } from '../../src/kernel/netlink/address.ts';
import { parseIp } from '../../src/net/address.ts';
import { openHostWithVeth, type TestHost } from './host.ts';

/** Addresses of v1 as ip shows them, link-local ones left out. */
function shown(host: TestHost): unknown[] {
  const [link] = host.ns.ipJson('addr show v1');
  assert.ok(link);
  // Its shape is what ip documents by printing it.
  return (link.addr_info as { local: string; prefixlen: number; scope: string }[])
    .filter(({ scope }) => scope === 'global')
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
}

for (const [text, length] of [
  ['10.1.2.3', 32],
  ['10.1.2.3', 24],
  ['fd00:1::5', 128],
  ['fd00:1::5', 64],
] as const)
  test(`${text}/${length} is shown by ip as it was added, decoded the same, and gone after its deletion`, () => {
    using host = openHostWithVeth();
    const address = { link: host.index('v1'), address: parseIp(text), length };
    host.socket.request(newAddress(address));
    host.socket.request(newAddress(address));
    assert.deepEqual(shown(host), [`${text}/${length}`]);
    const decoded = host.socket.dump(dumpAddresses(), decodeAddress).filter(({ address: found }) => found === address.address);
    assert.deepEqual(decoded, [address]);
    host.socket.request(deleteAddress(address));
    assert.deepEqual(shown(host), []);
  });

test('an IPv6 address can be used at once: no duplicate address detection', () => {
  using host = openHostWithVeth();
  host.socket.request(newAddress({ link: host.index('v1'), address: parseIp('fd00:1::5'), length: 128 }));
  assert.doesNotMatch(host.ns.ip('addr show v1'), /fd00:1::5.*tentative/);
});

test('addresses added by ip are decoded, of a point-to-point one the near end', () => {
  using host = openHostWithVeth();
  host.ns.ip('addr add 192.0.2.1 peer 192.0.2.2/32 dev v1');
  const found = host.socket.dump(dumpAddresses(), decodeAddress).map(({ address, length }) => `${address}/${length}`);
  for (const expected of ['127.0.0.1/8', '::1/128', '10.0.0.1/24', 'fd00::1/64', '192.0.2.1/32'])
    assert.ok(found.includes(expected), expected);
});
