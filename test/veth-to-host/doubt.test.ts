/** IPv6 addresses that the kernel does not use yet, or not at all, because somebody else may have them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { macvlan, openLan, type TestHost, type TestPod } from './lan.ts';
import { onLan } from './wires.ts';

/** A main plugin that does not wait for duplicate address detection: the reference plugins do so with a gateway alone. */
const unwaited = {
  ...macvlan,
  ipam: {
    type: 'static',
    addresses: [{ address: `${onLan(4, 11)}/24` }, { address: `${onLan(6, 11)}/64` }],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
  },
};

/** A Pod whose kernel asks before it uses an address. */
function careful(host: TestHost): TestPod {
  const pod = host.container(11);
  pod.sh('sysctl -qw net.ipv6.conf.default.accept_dad=1');
  return pod;
}

for (const agents of [true, false])
  test(`${agents ? 'an agent' : 'without an agent ADD'} waits until the Pod may use its IPv6 address`, async () => {
    await using lan = await openLan({ hosts: 1, main: unwaited, agents });
    const host = lan.host(0);
    const pod = await host.addTo(careful(host));
    assert.equal(await host.check(pod), '');
    assert.equal(await lan.seen(pod, onLan(6, 1), host), pod.address(6));
  });

test('an IPv6 address that somebody else has is refused by name, and the Pod keeps its way out', async () => {
  await using lan = await openLan({ hosts: 1, main: unwaited, agents: true });
  const host = lan.host(0);
  lan.machine.sh(`ip addr add ${onLan(6, 11)}/64 dev eth0`);
  const pod = careful(host);
  const { stdout: prevResult } = await host.call('ADD', 'macvlan', pod);
  const { status, stdout } = await host.call('ADD', 'veth-to-host', pod, { prevResult: JSON.parse(prevResult) as object });
  assert.notEqual(status, 0);
  assert.match(stdout, /the address 2001:db8:60::11 of eth0 in .* cannot be used \(FP349\).*somebody else on its network has it/);
  assert.match(pod.sh('ip route show default'), /dev eth0/);
  assert.doesNotMatch(host.sh('ip -br link; ip rule; nft list tables'), /vth|flatpod/);
});
