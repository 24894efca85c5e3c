/** Who reaches whom, as whom, when veth-to-host is chained behind macvlan; on hosts and in Pods that check reverse paths strictly. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { macvlan, openLan, serverAt } from './lan.ts';
import { everybody, NODE_PORT, scene, service } from './matrix.ts';
import { type Family, onLan, type Place } from './wires.ts';

const families = [4, 6] as const;
const ip = (family: Family): string => (family === 4 ? 'ip' : 'ip6');
const withPort = (family: Family, address: string): string => (family === 4 ? `${address}:8080` : `[${address}]:8080`);

/** What leads a Service's address to an endpoint on the host, in two dialects. */
const dialects = {
  nftables(host: Place, family: Family, to: string, port: number, endpoint: string) {
    const rule = `${ip(family)} daddr ${to} tcp dport ${port} dnat ${ip(family)} to ${withPort(family, endpoint)}`;
    host.sh(
      'nft -f -',
      `table inet services { }\ndelete table inet services\ntable inet services {\n chain in { type nat hook prerouting priority dstnat; ${rule}\n }\n}\n`,
    );
  },
  iptables(host: Place, family: Family, to: string, port: number, endpoint: string) {
    const tables = family === 4 ? 'iptables-nft' : 'ip6tables-nft';
    host.sh(
      `${tables} -t nat -F PREROUTING; ${tables} -t nat -A PREROUTING -d ${to} -p tcp --dport ${port} -j DNAT --to-destination ${withPort(family, endpoint)}`,
    );
  },
} as const;

for (const [way, ipMasq, agents] of [
  ['an agent, without ipMasq', false, true],
  ['an agent, with ipMasq', true, true],
  ['no agent, without ipMasq', false, false],
  ['no agent, with ipMasq', true, false],
] as const) {
  test(`with ${way}: the Pod reaches everybody, and everybody reaches the Pod, by address and by the host's port`, async () => {
    await using lan = await openLan({ chained: { ipMasq }, agents });
    const found = await scene(lan);
    const { host, pod } = found;
    for (const family of families) {
      dialects.nftables(host, family, onLan(family, 1), NODE_PORT, pod.address(family));
      for (const [who, place, address] of everybody(found, family)) {
        const self = who === 'the internet side' && ipMasq ? onLan(family, 1) : pod.address(family);
        assert.equal(await lan.seen(pod, address, place), self, `IPv${family} to ${who}`);
        assert.equal(await lan.seen(place, pod.address(family), pod), address, `IPv${family} from ${who}`);
        if (who === 'the host') continue; // its own packets do not pass prerouting
        assert.equal(await lan.seen(place, onLan(family, 1), pod, NODE_PORT), address, `IPv${family} from ${who} by the port of the host`);
      }
    }
    assert.equal(await host.check(pod), '');
  });
}

for (const ipMasq of [false, true])
  for (const dialect of ['nftables', 'iptables'] as const) {
    test(`a Service of ${dialect} works wherever it leads, ${ipMasq ? 'with' : 'without'} ipMasq, and its endpoint in the underlay sees the Pod`, async () => {
      await using lan = await openLan({ chained: { ipMasq }, agents: true });
      const found = await scene(lan);
      const { host, pod } = found;
      for (const family of families) {
        for (const [where, place, endpoint] of everybody(found, family)) {
          dialects[dialect](host, family, service[family], 80, endpoint);
          const self = where === 'the internet side' ? onLan(family, 1) : pod.address(family);
          assert.equal(await lan.seen(pod, service[family], place, 80), self, `IPv${family}: ${where}`);
        }
        dialects[dialect](host, family, service[family], 80, pod.address(family));
        assert.notEqual(await lan.seen(pod, service[family], pod, 80), 'timeout', `IPv${family}: the Pod itself`);
      }
    });
  }

for (const family of families)
  test(`a network with IPv${family} alone is served`, async () => {
    await using lan = await openLan({ families: [family] });
    const found = await scene(lan);
    const { host, pod } = found;
    for (const [who, place, address] of everybody(found, family)) {
      dialects.nftables(host, family, service[family], 80, address);
      assert.equal(await lan.seen(pod, address, place), pod.address(family), `to ${who}`);
      assert.equal(await lan.seen(place, pod.address(family), pod), address, `from ${who}`);
      assert.notEqual(await lan.seen(pod, service[family], place, 80), 'timeout', `by a Service to ${who}`);
    }
    assert.equal(await host.check(pod), '');
  });

test('a Pod with several addresses is reached by each, from everywhere', async () => {
  await using lan = await openLan();
  const { host, sibling, ...rest } = await scene(lan);
  const pod = await host.add(31, 32);
  for (const family of families)
    for (const number of [31, 32])
      for (const [who, place, address] of everybody({ ...rest, host, sibling }, family))
        assert.equal(await lan.seen(place, onLan(family, number), pod), address, `IPv${family} .${number} from ${who}`);
  assert.equal(await host.check(pod), '');
});

test('what the host knows no way to leaves by the Pod’s own gateway; where there is none either it is refused at once, and does not go to and fro', async () => {
  await using lan = await openLan({ hosts: 1 });
  const host = lan.host(0);
  const pod = await host.add(11);
  for (const family of families) {
    host.sh(`ip -${family} route del default`);
    assert.equal(await lan.seen(pod, serverAt(family), lan.server), pod.address(family), `IPv${family}`);
    pod.sh(`ip -${family} route del default table 7101`);
    assert.match(await lan.seen(pod, serverAt(family), lan.server), /ECONNREFUSED/, `IPv${family}`);
  }
});

test('nobody comes to the host through a Pod', async () => {
  await using lan = await openLan({ hosts: 1 });
  const host = lan.host(0);
  const pod = await host.add(11);
  for (const family of families) {
    lan.machine.sh(`ip -${family} route add ${service[family]} via ${pod.address(family)}`);
    dialects.nftables(host, family, service[family], 80, onLan(family, 1));
    assert.equal(await lan.seen(lan.machine, service[family], host, 80), 'timeout', `IPv${family}`);
  }
});

test('with viaHost the Pod keeps its own way out, and Services that are named leave by the host', async () => {
  await using lan = await openLan({ chained: { viaHost: ['10.96.0.0/12', 'fd00:96::/108'] }, agents: true });
  const found = await scene(lan);
  const { host, pod } = found;
  for (const family of families) {
    for (const [who, place, address] of everybody(found, family)) {
      dialects.nftables(host, family, service[family], 80, address);
      assert.equal(await lan.seen(pod, address, place), pod.address(family), `IPv${family} to ${who}`);
      assert.equal(await lan.seen(place, pod.address(family), pod), address, `IPv${family} from ${who}`);
      assert.notEqual(await lan.seen(pod, service[family], place, 80), 'timeout', `IPv${family} by a Service to ${who}`);
      if (who !== 'the host') {
        dialects.nftables(host, family, onLan(family, 1), NODE_PORT, pod.address(family));
        assert.equal(await lan.seen(place, onLan(family, 1), pod, NODE_PORT), address, `IPv${family} from ${who} by the port of the host`);
      }
    }
    assert.match(pod.sh(`ip -${family} route show default`), new RegExp(`via ${onLan(family, 254)} dev eth0`));
  }
  assert.equal(await host.check(pod), '');
});

test('in private mode, with the halves of the subnet in viaHost, Pods of one host reach each other by their addresses too', async () => {
  const halves = ['0.0.0.0/0', '10.60.0.0/25', '10.60.0.128/25', '::/0', '2001:db8:60::/65', '2001:db8:60:0:8000::/65'];
  await using lan = await openLan({ main: { ...macvlan, mode: 'private' }, chained: { viaHost: halves }, agents: true });
  const found = await scene(lan);
  const { host, pod } = found;
  for (const family of families)
    for (const [who, place, address] of everybody(found, family)) {
      assert.equal(await lan.seen(pod, address, place), pod.address(family), `IPv${family} to ${who}`);
      assert.equal(await lan.seen(place, pod.address(family), pod), address, `IPv${family} from ${who}`);
    }
  assert.equal(await host.check(pod), '');
});
