/** Links over rtnetlink, against the kernel and `ip -j`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeLink,
  deleteLink,
  deleteLinkGroup,
  dumpLinks,
  getLink,
  type Link,
  newLink,
  newVeth,
  setLink,
} from '../../src/kernel/netlink/link.ts';
import type { NetlinkSocket } from '../../src/kernel/netlink/socket.ts';
import { parseMac } from '../../src/net/mac.ts';
import { openHost } from './host.ts';

const [MAC_A, MAC_B] = [parseMac('02:00:00:00:00:0a'), parseMac('02:00:00:00:00:0b')];

function linkOf(socket: NetlinkSocket, name: string): Link {
  return socket.get(getLink(name), decodeLink) ?? assert.fail(`no link ${name}`);
}

test('a veth is born with each end in its namespace, with the names, MACs, MTU and state asked for', () => {
  using host = openHost();
  using pod = openHost();
  host.socket.request(
    newVeth({ name: 'fp0', mac: MAC_A, mtu: 1400, up: true }, { name: 'eth0', mac: MAC_B, mtu: 1400, netnsFd: pod.ns.netns.fd }),
  );
  const [near] = host.ns.ipJson('-d link show fp0');
  const [far] = pod.ns.ipJson('-d link show eth0');
  const shown = {
    address: near?.address,
    mtu: near?.mtu,
    queues: near?.num_tx_queues,
    kind: near?.linkinfo,
    up: String(near?.flags).includes('UP'),
  };
  assert.deepEqual(shown, { address: MAC_A, mtu: 1400, queues: 1, kind: { info_kind: 'veth' }, up: true });
  assert.deepEqual([far?.address, far?.mtu, String(far?.flags).includes('UP')], [MAC_B, 1400, false]);
  const decoded = linkOf(host.socket, 'fp0');
  const expected = {
    index: near?.ifindex,
    name: 'fp0',
    mac: MAC_A,
    mtu: 1400,
    up: true,
    kind: 'veth',
    alias: undefined,
    master: undefined,
  };
  assert.deepEqual(decoded, { ...expected, peer: far?.ifindex });
});

test('what is set on a link is what ip shows: state, MTU, MAC, name, alias, master, group', () => {
  using host = openHost();
  host.socket.request(newVeth({ name: 'a' }, { name: 'b' }));
  host.socket.request(newLink({ name: 'br0' }, 'bridge'));
  const bridge = linkOf(host.socket, 'br0');
  const { index } = linkOf(host.socket, 'a');
  host.socket.request(
    setLink(index, { up: true, mtu: 1300, mac: MAC_A, name: 'renamed', alias: 'flatpod pod/x', master: bridge.index, group: 77 }),
  );
  const [shown] = host.ns.ipJson('-d link show renamed');
  assert.deepEqual(
    [shown?.mtu, shown?.address, shown?.ifalias, shown?.master, shown?.group, String(shown?.flags).includes('UP')],
    [1300, MAC_A, 'flatpod pod/x', 'br0', '77', true],
  );
  const decoded = linkOf(host.socket, 'renamed');
  assert.deepEqual(
    [decoded.mtu, decoded.mac, decoded.alias, decoded.master, decoded.up],
    [1300, MAC_A, 'flatpod pod/x', bridge.index, true],
  );
});

test('a change leaves alone what it does not name', () => {
  using host = openHost();
  host.socket.request(newVeth({ name: 'a', mac: MAC_A, mtu: 1300, up: true }, { name: 'b' }));
  const before = linkOf(host.socket, 'a');
  host.socket.request(setLink(before.index, { alias: 'x' }));
  assert.deepEqual(linkOf(host.socket, 'a'), { ...before, alias: 'x' });
});

test('a child of another link is born with its parent and its own attributes', () => {
  using host = openHost();
  host.socket.request(newVeth({ name: 'a', up: true }, { name: 'b' }));
  const parent = linkOf(host.socket, 'a');
  const [IFLA_MACVLAN_MODE, MODE_BRIDGE] = [1, 4];
  host.socket.request(newLink({ name: 'mv0' }, 'macvlan', (message) => message.u32(IFLA_MACVLAN_MODE, MODE_BRIDGE), parent.index));
  const [shown] = host.ns.ipJson('-d link show mv0');
  assert.equal(shown?.link, 'a');
  assert.match(JSON.stringify(shown?.linkinfo), /"info_kind":"macvlan".*"mode":"bridge"/);
  assert.equal(linkOf(host.socket, 'mv0').peer, parent.index);
});

test('links made by ip are decoded, loopback included', () => {
  using host = openHost();
  host.ns.ip('link add v0 address 02:00:00:00:00:01 mtu 1234 type veth peer name v1');
  host.ns.ip('link set v0 up alias some-alias');
  const links = new Map(host.socket.dump(dumpLinks(), decodeLink).map((link) => [link.name, link]));
  assert.deepEqual([...links.keys()].toSorted(), ['lo', 'v0', 'v1']);
  const { mac, mtu, up, kind, alias } = links.get('v0') ?? assert.fail();
  assert.deepEqual([mac, mtu, up, kind, alias], ['02:00:00:00:00:01', 1234, true, 'veth', 'some-alias']);
  assert.deepEqual([links.get('lo')?.up, links.get('lo')?.kind], [false, undefined]);
});

test('a link is found by index as by name, and one that is not there is undefined', () => {
  using host = openHost();
  const lo = linkOf(host.socket, 'lo');
  assert.deepEqual(host.socket.get(getLink(lo.index), decodeLink), lo);
  assert.equal(host.socket.get(getLink('nosuch'), decodeLink), undefined);
  assert.equal(host.socket.get(getLink(4711), decodeLink), undefined);
});

test('one link is deleted by index, many by their group', () => {
  using host = openHost();
  for (const name of ['a', 'b', 'c', 'd']) host.socket.request(newLink({ name }, 'bridge'));
  host.socket.request(deleteLink(linkOf(host.socket, 'a').index));
  for (const name of ['b', 'c']) host.socket.request(setLink(linkOf(host.socket, name).index, { group: 99 }));
  host.socket.request(deleteLinkGroup(99));
  assert.deepEqual(
    host.socket.dump(dumpLinks(), decodeLink).map(({ name }) => name),
    ['lo', 'd'],
  );
});
