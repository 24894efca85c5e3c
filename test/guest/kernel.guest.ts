/** What a guest's kernel is there for: the links that this machine's kernel may lack. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeLink, getLink, newLink } from '../../src/kernel/netlink/link.ts';
import { openHostWithVeth } from '../kernel/host.ts';

for (const kind of ['dummy', 'ipvlan', 'macvlan', 'vrf', 'vlan', 'bridge']) {
  test(`a link ${kind} can be made`, () => {
    using host = openHostWithVeth();
    const [IFLA_VRF_TABLE, IFLA_VLAN_ID] = [1, 1];
    const isChild = ['ipvlan', 'macvlan', 'vlan'].includes(kind);
    host.socket.request(
      newLink(
        { name: 'x0' },
        kind,
        (message) => {
          if (kind === 'vrf') message.u32(IFLA_VRF_TABLE, 7);
          if (kind === 'vlan') message.u16(IFLA_VLAN_ID, 7);
        },
        isChild ? host.index('v0') : undefined,
      ),
    );
    assert.equal(host.socket.get(getLink('x0'), decodeLink)?.kind, kind);
  });
}
