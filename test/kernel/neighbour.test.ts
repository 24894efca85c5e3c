/** Neighbour entries over rtnetlink, against the kernel and `ip -j`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeNeighbour, deleteNeighbour, dumpNeighbours, newNeighbour } from '../../src/kernel/netlink/neighbour.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseMac } from '../../src/net/mac.ts';
import { openHostWithVeth } from './host.ts';

for (const text of ['10.0.0.9', 'fe80::1'])
  test(`a permanent neighbour ${text} is shown by ip as it was added, replaced, decoded the same, and gone after its deletion`, () => {
    using host = openHostWithVeth();
    const old = { link: host.index('v0'), address: parseIp(text), mac: parseMac('02:00:00:00:00:01') };
    const neighbour = { ...old, mac: parseMac('02:00:00:00:00:02') };
    host.socket.request(newNeighbour(old));
    host.socket.request(newNeighbour(neighbour));
    const shown = host.ns.ipJson('neigh show dev v0').filter(({ dst }) => dst === text);
    assert.deepEqual(shown, [{ dst: text, lladdr: neighbour.mac, state: ['PERMANENT'] }]);
    assert.deepEqual(host.socket.dump(dumpNeighbours(), decodeNeighbour), [neighbour]);
    host.socket.request(deleteNeighbour(neighbour));
    assert.deepEqual(host.socket.dump(dumpNeighbours(), decodeNeighbour), []);
  });

test('permanent entries made by ip are decoded, learned ones are left out', () => {
  using host = openHostWithVeth();
  host.ns.ip('neigh add 10.0.0.8 lladdr 02:00:00:00:00:08 dev v0 nud permanent');
  host.ns.ip('neigh add 10.0.0.7 lladdr 02:00:00:00:00:07 dev v0 nud reachable');
  const found = host.socket.dump(dumpNeighbours(), decodeNeighbour);
  assert.deepEqual(found, [{ link: host.index('v0'), address: '10.0.0.8', mac: '02:00:00:00:00:08' }]);
});
