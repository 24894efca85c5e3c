/** veth-to-host behind the reference plugins ipvlan and vlan, with real packets: network, hosts and Pods all in one guest, whose kernel has both. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Lan, openLan, type TestHost, type TestPod } from './lan.ts';
import { scene, worksBehindKubeProxy } from './matrix.ts';
import type { Family, Place } from './wires.ts';

const families = [4, 6] as const;
const length: Record<Family, number> = { 4: 24, 6: 64 };

/** An address of another network than the hosts'. */
function inNetwork(network: number, family: Family, last: number): string {
  return family === 4 ? `10.${network}.0.${last}` : `2001:db8:${network}::${last}`;
}

/** A Pod of such a network. `gateway`: who leads out of it. */
async function podIn(host: TestHost, main: Record<string, unknown>, network: number, last: number, gateway?: number): Promise<TestPod> {
  const addresses = families.map((family) => ({
    address: `${inNetwork(network, family, last)}/${length[family]}`,
    ...(gateway !== undefined && { gateway: inNetwork(network, family, gateway) }),
  }));
  host.list = [{ ...main, ipam: { type: 'static', addresses, routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }] } }, ...host.list.slice(1)];
  return { ...(await host.add()), address: (family) => inNetwork(network, family, last) };
}

/** Leads to a host what is for the network of its Pods. */
function lead(places: readonly Place[], network: number, host: TestHost, address: (family: Family) => string): void {
  for (const place of places)
    if (place !== host)
      for (const family of families)
        place.sh(`ip -${family} route add ${inNetwork(network, family, 0)}/${length[family]} via ${address(family)}`);
}

/** CHECK of both plugins holds, and after DEL nothing is left on the host. */
async function endsWell(lan: Lan, pods: readonly TestPod[]): Promise<void> {
  for (const pod of pods) {
    assert.equal(await pod.host.check(pod), '');
    await pod.host.del(pod);
  }
  for (const host of lan.hosts)
    assert.doesNotMatch(host.sh('ip rule; ip -6 rule; ip route; nft list tables; ip -br link'), /115|flatpod|vth/);
}

for (const ipMasq of [false, true])
  test(`behind ipvlan l2, ${ipMasq ? 'with' : 'without'} ipMasq: a Pod reaches everybody, by Services and past them, and all reach the Pod`, async () => {
    await using lan = await openLan({ main: { type: 'ipvlan', master: 'eth0', mode: 'l2' }, chained: { ipMasq }, agents: true });
    const found = await scene(lan);
    const beyond = ['the internet side'];
    await worksBehindKubeProxy(found, { mode: ipMasq ? 'iptables' : 'nftables', ipMasq, families: ipMasq ? [4] : families, beyond });
    await endsWell(lan, [found.pod, found.sibling, found.other]);
  });

for (const [mode, ipMasq] of [
  ['l3', false],
  ['l3s', true],
] as const)
  test(`behind ipvlan ${mode}, where hosts lead to a network of their Pods, ${ipMasq ? 'with' : 'without'} ipMasq: the same`, async () => {
    await using lan = await openLan({ chained: { ipMasq }, agents: true });
    const [host, second] = [lan.host(0), lan.host(1)];
    const places = [lan.machine, lan.router, host, second];
    lead(places, 61, host, (family) => (family === 4 ? '10.60.0.1' : '2001:db8:60::1'));
    lead(places, 62, second, (family) => (family === 4 ? '10.60.0.2' : '2001:db8:60::2'));
    const main = { type: 'ipvlan', master: 'eth0', mode };
    const [pod, sibling] = [await podIn(host, main, 61, 11), await podIn(host, main, 61, 12)];
    const other = await podIn(second, main, 62, 21);
    const beyond = ["another host's Pod", 'another host', 'a machine of the underlay', 'the internet side'];
    await worksBehindKubeProxy({ lan, host, pod, sibling, other }, { mode: 'nftables', ipMasq, families: ipMasq ? [4] : families, beyond });
    await endsWell(lan, [pod, sibling, other]);
  });

test('behind vlan, each Pod with a VLAN of its own and a router between them: the same', async () => {
  await using lan = await openLan({ chained: { ipMasq: true }, agents: true });
  const [host, second] = [lan.host(0), lan.host(1)];
  for (const vlan of [67, 68]) {
    lan.router.sh(`ip link add link lan name lan.${vlan} type vlan id ${vlan}; ip link set lan.${vlan} up`);
    for (const family of families) lan.router.sh(`ip addr add ${inNetwork(vlan, family, 254)}/${length[family]} dev lan.${vlan}`);
  }
  const vlan = (vlanId: number): Record<string, unknown> => ({ type: 'vlan', master: 'eth0', vlanId });
  const [pod, sibling] = [await podIn(host, vlan(67), 67, 11, 254), await podIn(host, vlan(68), 68, 12, 254)];
  const other = await podIn(second, vlan(67), 67, 21, 254);
  const beyond = ['another host', 'a machine of the underlay', 'the internet side'];
  await worksBehindKubeProxy({ lan, host, pod, sibling, other }, { mode: 'iptables', ipMasq: true, families, beyond });
  await endsWell(lan, [pod, sibling, other]);
});
