/** What is for neither host nor underlay: the internet, an overlay, other subnets, nowhere. It leaves through the host, once, and is masqueraded only when that is asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNetns, deleteNetns, NAMED } from '../../src/kernel/netns.ts';
import { type Lan, openLan, serverAt, type TestHost } from './lan.ts';
import { type Family, onLan, type Place, placeAt, wire } from './wires.ts';

const families = [4, 6] as const;
const ways = [
  ['without ipMasq, an agent', false, true],
  ['with ipMasq, an agent', true, true],
  ['without ipMasq, no agent', false, false],
  ['with ipMasq, no agent', true, false],
] as const;
/** An overlay's addresses on a host, and beyond the router another subnet that only it knows. */
const overlay = (family: Family, host: number, last: number): string =>
  family === 4 ? `10.244.${host}.${last}` : `fd00:244:${host}::${last}`;
const bits: Record<Family, number> = { 4: 24, 6: 64 };

/** A Pod of the host's overlay; `host` leads to those of others itself. */
function overlayPod(host: TestHost, cleanup: DisposableStack): Place {
  const name = `${host.netns.slice(NAMED.length + 1)}-overlay`;
  const pod = placeAt(createNetns(name));
  cleanup.defer(() => deleteNetns(name));
  wire(host, 'cni0', pod, 'eth0');
  pod.sh('ip link set lo up; sysctl -qw net.ipv6.conf.all.accept_dad=0');
  for (const family of families) {
    host.sh(`ip addr add ${overlay(family, host.number, 1)}/${bits[family]} dev cni0${family === 6 ? ' nodad' : ''}`);
    pod.sh(`ip addr add ${overlay(family, host.number, 9)}/${bits[family]} dev eth0${family === 6 ? ' nodad' : ''}`);
    pod.sh(`ip -${family} route add default via ${overlay(family, host.number, 1)}`);
    const other = 3 - host.number;
    host.sh(`ip -${family} route add ${overlay(family, other, 0)}/${bits[family]} via ${onLan(family, other)}`);
    host.sh(`sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1`);
  }
  return pod;
}

/** Counts what comes to a host from its Pods for the second time: a Pod's own packets have their full TTL, answers that passed it one less. */
function countReturns(host: Place): void {
  const rules = ['ip ttl < 63 ip daddr != 224.0.0.0/4', 'ip6 hoplimit < 63 ip6 daddr != ff00::/8']
    .map((again) => `iifname "vth*" ${again} counter`)
    .join('\n');
  host.sh('nft -f -', `table inet watch {\n chain returned { type filter hook prerouting priority -500;\n${rules}\n }\n}\n`);
}
const returns = (host: Place): number =>
  [...host.sh('nft list table inet watch').matchAll(/packets (\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0);

/** Behind kube-proxy's rule against what is invalid. */
function refuseInvalid(lan: Lan): void {
  for (const host of lan.hosts)
    host.sh('nft -f -', 'table inet strict {\n chain f { type filter hook forward priority 0; ct state invalid drop; }\n}\n');
}

for (const [way, ipMasq, agents] of ways)
  test(`${way}: the internet, an overlay’s Pods here and on another host, a subnet behind the router: reached through the host, and nothing comes by twice`, async () => {
    using cleanup = new DisposableStack();
    await using lan = await openLan({ chained: { ipMasq }, agents });
    const [host, second] = [lan.host(0), lan.host(1)];
    const [near, far] = [overlayPod(host, cleanup), overlayPod(second, cleanup)];
    refuseInvalid(lan);
    countReturns(host);
    const pod = await host.add(11);
    for (const family of families) {
      lan.server.sh(`ip addr add ${family === 4 ? '10.70.0.9/32' : 'fd00:70::9/128'} dev lo`);
      lan.router.sh(`ip -${family} route add ${family === 4 ? '10.70.0.0/16' : 'fd00:70::/48'} via ${serverAt(family)}`);
      const masqueraded = (as: string): string => (ipMasq ? as : pod.address(family));
      const [here, there] = [overlay(family, 1, 9), overlay(family, 2, 9)];
      assert.equal(await lan.seen(pod, serverAt(family), lan.server), masqueraded(onLan(family, 1)), `IPv${family} internet`);
      const subnet = family === 4 ? '10.70.0.9' : 'fd00:70::9';
      assert.equal(await lan.seen(pod, subnet, lan.server), masqueraded(onLan(family, 1)), `IPv${family} another subnet`);
      assert.equal(await lan.seen(pod, here, near), masqueraded(overlay(family, 1, 1)), `IPv${family} overlay here`);
      assert.equal(await lan.seen(pod, there, far), masqueraded(onLan(family, 1)), `IPv${family} overlay there`);
      assert.equal(await lan.seen(near, pod.address(family), pod), here, `IPv${family} from the overlay here`);
    }
    assert.equal(returns(host), 0);
    assert.equal(await host.check(pod), '');
  });

for (const ipMasq of [false, true])
  test(`${ipMasq ? 'with' : 'without'} ipMasq what nobody knows a way to ends at once: it does not go to and fro between Pod and host`, async () => {
    await using lan = await openLan({ hosts: 1, chained: { ipMasq } });
    const host = lan.host(0);
    const pod = await host.add(11);
    countReturns(host);
    for (const family of families) {
      host.sh(`ip -${family} route del default`);
      pod.sh(`ip -${family} route del default table 7101`);
      assert.match(await lan.seen(pod, serverAt(family), lan.server), /ECONNREFUSED/, `IPv${family}`);
      // A datagram is not answered for, and must end all the same.
      pod.sh(`node -e 'const s = require("dgram").createSocket("udp${family}"); s.send("x", 9, "${serverAt(family)}", () => s.close())'`);
    }
    assert.equal(returns(host), 0);
  });
