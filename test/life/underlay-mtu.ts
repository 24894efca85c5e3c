/** Packets of every size, on a network of jumbo frames, for every datapath: what fits passes whole, and who sends more is told how much fits. */
import assert from 'node:assert/strict';
import { machineOf } from '../../src/cli/demo/lab.ts';
import { type Container, testLab } from './lab.ts';
import { addWhenReady, inside, serve } from './underlay.ts';

/** More than the usual 1500, less than a Pod's memory minds. */
const JUMBO = 9001;
const SMALL = 1400;
/** IPv4 and IPv6 header with that of an echo request. */
const headers = { 4: 28, 6: 48 } as const;

/** Pings with a packet of that many bytes which nobody may take apart; what ping says, whether or not there was an answer. After a refusal there is none to wait for. */
function sent(from: { readonly netns: string }, bytes: number, address: string, wait_s = 20): string {
  const payload = bytes - headers[address.includes(':') ? 6 : 4];
  return inside(from.netns, `ping -c 1 -W ${wait_s} -M do -s ${payload} ${address} 2>&1 || true`);
}

const refused = (from: { readonly netns: string }, bytes: number, address: string): string => sent(from, bytes, address, 0.2);

/** The key `mtu` and the network's own MTU: on the Pod's link, on the service veth, and by Services. `links`: the Pod's. */
export async function everySizeIsRight(spec: string, links: readonly string[]): Promise<void> {
  const pods = `families: [4, 6], useFirstNic: false, warm: {spare: 2}, ${spec}`;
  await using lab = await testLab({
    plan: {
      subnets: { a: { cidr4: '10.20.0.0/24', cidr6: '2001:db8:20::/64' }, b: { cidr4: '10.20.1.0/24', cidr6: '2001:db8:20:1::/64' } },
      machines: { n1: { subnet: 'a' }, vm: { subnet: 'b' } },
    },
    agents: { n1: { subnet: 'b', pods, node: 'cooldown_s: 0' } },
    mtu: JUMBO,
  });
  const node = lab.node(0);
  const [vm, machine] = [machineOf(lab.lab, 'vm'), machineOf(lab.lab, 'n1')];
  const [big, small] = [node.container(), node.container()];
  const at = { big: await addWhenReady(node, big), small: await addWhenReady(node, small, { mtu: SMALL }) };
  const mtus = ({ netns }: Container): unknown[] => links.map((link) => linkIn(netns, link)['mtu']);
  assert.deepEqual(
    mtus(big),
    links.map(() => JUMBO),
  );
  assert.deepEqual(
    mtus(small),
    links.map(() => SMALL),
  );
  for (const i of [0, 1]) {
    const [own, of, its] = [at.big[i] ?? '', vm.addresses[i] ?? '', at.small[i] ?? ''];
    for (const [who, from, to] of [
      ['a Pod to a VM', big, of],
      ['a VM to a Pod', vm, own],
      ['a Pod to its node', big, machine.addresses[i] ?? ''],
      ['a node to its Pod', node, own],
    ] as const)
      assert.match(sent(from, JUMBO, to), / 1 received/, `${who}, whole: ${to}`);
    assert.match(refused(big, JUMBO + 1, of), /message too long, mtu[=:] ?9001/i, 'one byte more');
    assert.match(sent(small, SMALL, of), / 1 received/, `as much as the key says: ${of}`);
    assert.match(refused(small, SMALL + 1, of), /message too long, mtu[=:] ?1400/i);
    assert.match(refused(node, SMALL + 1, its), /too (long|big)|mtu = 1400/i, `the node is told at once: ${its}`);
    // Who asks through a node is told by the node how much its Pod takes.
    const [ip, icmp] = i === 0 ? ['ip', 'icmp'] : ['ip6', 'icmpv6'];
    const service = machine.addresses[i] ?? '';
    serve(node, [{ asked: `${ip} daddr ${service} ${icmp} type echo-request`, endpoint: i === 0 ? its : `[${its}]` }]);
    assert.match(sent(vm, SMALL, service), / 1 received/);
    assert.match(sent(vm, SMALL + 1, service), /mtu ?= ?1400/, `told on the way to ${its}`);
  }
  assert.deepEqual((await node.ask<{ differences: string[] }>('check')).differences, []);
}

function linkIn(netns: string, name: string): Record<string, unknown> {
  const [link] = JSON.parse(inside(netns, `ip -j link show ${name}`)) as Record<string, unknown>[];
  assert.ok(link, name);
  return link;
}
