/** Real packets through the fabric: what passes, what is dropped, and what is said about it. Needs root and network namespaces. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { openNetns } from '../../src/kernel/netns.ts';
import { listenIn } from '../../src/kernel/sockets.ts';
import { whoAmI } from '../life/asking.ts';
import { eventually } from '../life/lab.ts';
import { all, drops, inside, type Machine, open, pingEach, reaches, silent, site, unanswered } from './site.ts';

test('instances of one subnet and of two reach each other over IPv4 and IPv6, and their gateway', async () => {
  await using net = await site();
  const [one, two, far] = [await net.launch('n1', net.a), await net.launch('n2', net.a), await net.launch('n3', net.b)];
  for (const to of [...two.addresses, ...far.addresses, '10.20.0.1']) assert.ok(await reaches(one, to), to);
  assert.deepEqual(await drops(net, 'SecurityGroupIngress'), []);
  assert.match(
    (await inside(one, 'ip neigh show 10.20.0.5')).out,
    new RegExp(two.nic.mac),
    'ARP is answered with the right Ethernet address',
  );
  assert.doesNotMatch((await inside(one, 'ip neigh')).out, /10\.20\.1\./, 'other subnets are behind the gateway');
});

test("TCP crosses subnets, and the other side sees the sender's own address", async (t) => {
  await using net = await site();
  const [one, far] = [await net.launch('n1', net.a), await net.launch('n3', net.b)];
  using here = openNetns(one.netns);
  using there = openNetns(far.netns);
  const server = await listenIn(there, 8080);
  t.after(() => server.close());
  for (const [i, address] of far.addresses.entries()) assert.equal(await whoAmI(here, address, 8080, 3000), one.addresses[i]);
});

test('neighbour discovery is answered in the kernel with the right address, also for a whole prefix', async () => {
  await using net = await site();
  const [one, two] = [await net.launch('n1', net.a), await net.launch('n2', net.a)];
  const { blocks } = (await net.vpc.call('POST', `/v1/nics/${two.nic.id}/assign`, { want: { prefixes6: 1, prefixes4: 1 } })).body;
  const [in4, in6] = [
    blocks[0].replace(/\d+\/28$/, (last: string) => String(Number.parseInt(last, 10) + 7)),
    blocks[1].replace('::/80', '::1234'),
  ];
  await inside(one, 'ip route add 2001:db8:20::/64 dev eth0');
  for (const address of [in4, in6]) {
    assert.ok(await silent(one, address), 'nobody holds it inside');
    assert.match((await inside(one, `ip neigh show ${address}`)).out, new RegExp(two.nic.mac));
  }
  await inside(two, `ip addr add ${in4}/32 dev lo; ip addr add ${in6}/128 dev lo`);
  for (const address of [in4, in6]) assert.ok(await reaches(one, address), address);
});

test('an address that nobody has is answered by nobody', async () => {
  await using net = await site();
  const one = await net.launch('n1', net.a);
  assert.ok(await silent(one, '10.20.0.99'));
  assert.match((await inside(one, 'ip neigh show 10.20.0.99')).out, /INCOMPLETE|FAILED/);
  assert.ok(await silent(one, '10.20.1.99'));
  assert.deepEqual((await drops(net, 'NobodyHasAddress')).map(({ nic, address }) => `${nic} ${address}`).toSorted(), [
    `${one.nic.id} 10.20.0.99`,
    `${one.nic.id} 10.20.1.99`,
  ]);
});

test('outside of the subnet the gateway answers ARP, whatever is asked for', async () => {
  await using net = await site();
  const one = await net.launch('n1', net.a);
  await inside(one, 'ip route add 10.20.7.0/24 dev eth0; ping -c1 -W0.4 10.20.7.7');
  assert.match((await inside(one, 'ip neigh show 10.20.7.7')).out, /02:00:5e:00:00:01/);
});

test('a foreign source address, Ethernet address, ARP or ND claim is dropped and told', async () => {
  await using net = await site();
  const [one, two] = [await net.launch('n1', net.a), await net.launch('n2', net.a)];
  await inside(one, 'ip addr add 10.20.0.77/24 dev eth0; ip addr add 2001:db8:20::77/128 dev eth0 nodad');
  // The Ethernet address of the neighbour is known by now, so what is dropped is the packet, not the ARP request.
  assert.ok(await reaches(one, '10.20.0.5'));
  for (let i = 0; i < 3; i++) assert.ok(await silent(one, '10.20.0.5', '-I 10.20.0.77'));
  const [spoofed] = await drops(net, 'SourceAddress');
  assert.equal(spoofed?.text, `${one.nic.id}: address 10.20.0.77 is not assigned to this interface: dropped, 3 packets`);
  assert.ok(await reaches(one, two.addresses[1] ?? ''));
  assert.ok(await silent(one, two.addresses[1] ?? '', '-I 2001:db8:20::77'));
  assert.ok((await drops(net, 'SourceAddress')).some(({ address }) => address === '2001:db8:20::77'));

  await inside(one, 'ip addr add 10.20.0.5/32 dev eth0; ping -c1 -W0.4 -I 10.20.0.5 10.20.0.200');
  assert.ok(
    (await drops(net, 'ArpSpoof')).some(({ nic, address }) => nic === one.nic.id && address === '10.20.0.5'),
    'it asked in the name of n2',
  );
  await inside(one, 'ip route add 2001:db8:20::/64 dev eth0; ping -c1 -W0.4 -I 2001:db8:20::77 2001:db8:20::200');
  assert.ok((await drops(net, 'NdSpoof')).some(({ nic, address }) => nic === one.nic.id && address === '2001:db8:20::77'));

  await inside(two, 'ip link set eth0 address 02:00:00:00:00:99; ip route add default via 10.20.0.1');
  assert.ok(await silent(two, '10.20.0.1'));
  assert.deepEqual(
    (await drops(net, 'SourceMac')).map(({ nic, address }) => [nic, address]),
    [[two.nic.id, '02:00:00:00:00:99']],
  );
});

/** For a program to be loaded, and to see what is there. */
const LIMIT_s = 60;

/** tcpdump of what others send to its eth0, each at once. */
function captured({ netns, nic }: Machine): Disposable & { readonly seen: () => string; readonly said: () => string } {
  const argv = ['--immediate-mode', '-Z', 'root', '-nli', 'eth0', '-Q', 'in', 'not', 'ether', 'src', nic.mac];
  const child = spawn('nsenter', [`--net=${netns}`, 'tcpdump', ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [seen, said] = ['', ''];
  child.stdout.on('data', (part: Buffer) => (seen += part.toString()));
  child.stderr.on('data', (part: Buffer) => (said += part.toString()));
  return { seen: () => seen, said: () => said, [Symbol.dispose]: () => void child.kill('SIGKILL') };
}

test('a frame to an Ethernet address nobody has goes nowhere, and no broadcast or multicast reaches anybody', async () => {
  await using net = await site();
  const [one, two] = [await net.launch('n1', net.a), await net.launch('n2', net.a)];
  // What of all this would be seen first is what comes first, and the last one asks where it may: no time has to be long enough.
  using capture = captured(two);
  await eventually('it listens', () => capture.said().includes('listening on'), LIMIT_s);
  await inside(
    one,
    'ip neigh replace 10.20.0.99 lladdr 02:11:22:33:44:55 dev eth0; ping -c2 -W0.4 -i0.2 10.20.0.99; ping -c1 -W0.4 -b 10.20.0.255; ping -c1 -W0.4 224.0.0.1',
  );
  const [from = '', to = ''] = [one.addresses[0], two.addresses[0]];
  assert.ok(await reaches(one, to));
  await eventually('a packet is seen', () => capture.seen().includes('\n'), LIMIT_s);
  assert.match(capture.seen().split('\n')[0] ?? '', new RegExp(` IP ${from} > ${to}: ICMP echo request`));
  assert.ok(
    (await drops(net, 'UnknownMac')).some(
      ({ nic, address, packets }) => nic === one.nic.id && address === '02:11:22:33:44:55' && packets === 2,
    ),
  );
  assert.ok((await drops(net, 'NotCarried')).length > 0);
});

test('what is sent to a NIC for an address that is not its own does not arrive', async () => {
  await using net = await site();
  const [one, two, three] = [await net.launch('n1', net.a), await net.launch('n2', net.a), await net.launch('n3', net.b)];
  const [elsewhere = ''] = three.addresses;
  await inside(one, `ip route add ${elsewhere} dev eth0; ip neigh replace ${elsewhere} lladdr ${two.nic.mac} dev eth0`);
  await inside(two, `ip addr add ${elsewhere}/32 dev lo`);
  assert.ok(await silent(one, elsewhere));
  assert.deepEqual(
    (await drops(net, 'NotAssigned')).map(({ nic, address }) => [nic, address]),
    [[two.nic.id, elsewhere]],
  );
});

test('an address is reached at the NIC that has it, in both families, by who remembers the NIC that had it before', async () => {
  await using net = await site();
  const [one, two, three] = [await net.launch('n1', net.a), await net.launch('n2', net.a), await net.launch('n3', net.a)];
  for (const address of three.addresses) {
    await inside(one, `ip neigh replace ${address} lladdr ${two.nic.mac} nud permanent dev eth0`);
    assert.equal(await silent(one, address), false, address);
  }
  assert.deepEqual(await drops(net, 'NotAssigned'), []);
});

test('security groups: closed by default from outside the group, open by rule, replies pass, and groups may be peers', async (t) => {
  await using net = await site();
  const group = async (name: string, rules: object[]): Promise<string> =>
    (await net.vpc.call('POST', '/v1/security-groups', { name, rules })).body.id;
  const client = await group('client', [{ direction: 'egress', protocol: 'tcp', ports: { from: 80, to: 89 }, cidr: '10.20.0.0/16' }]);
  const web = await group('web', [{ direction: 'ingress', protocol: 'tcp', ports: { from: 80, to: 80 }, group: client }]);
  const [one, server, stranger] = [
    await net.launch('n1', net.a, { securityGroups: [client] }),
    await net.launch('n2', net.a, { securityGroups: [web] }),
    await net.launch('n3', net.b),
  ];
  using there = openNetns(server.netns);
  using here = openNetns(one.netns);
  using elsewhere = openNetns(stranger.netns);
  for (const port of [80, 81, 90]) {
    const listener = await listenIn(there, port);
    t.after(() => listener.close());
  }
  const to = server.addresses[0] ?? '';
  assert.equal(await whoAmI(here, to, 80, 2000), one.addresses[0], 'the server may answer although it has no egress rule');
  assert.equal(await whoAmI(here, to, 81, 500), 'timeout');
  assert.ok((await drops(net, 'SecurityGroupIngress')).some(({ nic }) => nic === server.nic.id));
  assert.equal(await whoAmI(here, to, 90, 500), 'timeout');
  assert.ok((await drops(net, 'SecurityGroupEgress')).some(({ nic, text }) => nic === one.nic.id && text.includes('lets tcp from')));
  assert.equal(await whoAmI(elsewhere, to, 80, 500), 'timeout');
  await net.vpc.call('PUT', `/v1/nics/${stranger.nic.id}/security-groups`, { securityGroups: [client] });
  assert.equal(await whoAmI(elsewhere, to, 80, 2000), stranger.addresses[0], 'a member of the peer group now');
  await net.vpc.call('PUT', `/v1/nics/${server.nic.id}/security-groups`, { securityGroups: [client, web] });
  assert.equal(await whoAmI(here, to, 80, 2000), one.addresses[0], 'two groups: either may allow');
});

test('the internet: only with a public address, one to one, both ways; without one dropped and told', async () => {
  await using net = await site();
  const [pub, priv] = [await net.launch('n1', net.a, { publicAddress: true }), await net.launch('n2', net.a)];
  const outside = (await net.vpc.call('POST', '/v1/instances', { name: 'web', kind: 'internet' })).body;
  using far = openNetns(outside.netns);
  const server = await listenIn(far, 8080);
  try {
    using here = openNetns(pub.netns);
    assert.equal(await whoAmI(here, outside.addresses[0], 8080, 3000), pub.publicAddress);
    assert.equal(await whoAmI(here, outside.addresses[1], 8080, 3000), pub.addresses[1], 'IPv6 is not translated');
  } finally {
    server.close();
  }
  assert.ok(await silent(priv, outside.addresses[0]));
  assert.equal((await drops(net, 'NoPublicAddress'))[0]?.address, priv.addresses[0]);
  assert.ok(await silent(outside, pub.publicAddress ?? ''), 'the default group lets nothing in');
  assert.ok(await silent(outside, pub.addresses[0] ?? ''), 'private addresses mean nothing outside');
  await open(net, [
    { direction: 'ingress', ...all },
    { direction: 'egress', ...all },
  ]);
  assert.ok(await reaches(outside, pub.publicAddress ?? ''));
  assert.ok(await silent(priv, pub.publicAddress ?? ''), 'a public address is reached from the internet side only');
  assert.ok(await reaches(pub, pub.publicAddress ?? ''), 'by way of the gateway even its own');
  const [{ id }] = (await net.vpc.call('GET', '/v1/public-addresses')).body.items;
  await net.vpc.call('DELETE', `/v1/public-addresses/${id}`);
  assert.ok(await silent(pub, outside.addresses[0]));
});

test('a secondary address and a prefix work while they are assigned, and not before or after', async () => {
  await using net = await site();
  const [one, two] = [await net.launch('n1', net.a), await net.launch('n2', net.b)];
  await inside(two, 'for i in 5 16 31; do ip addr add 10.20.1.$i/32 dev lo; done');
  for (const last of [5, 16, 31]) assert.ok(await silent(one, `10.20.1.${last}`));
  const { blocks } = (await net.vpc.call('POST', `/v1/nics/${two.nic.id}/assign`, { want: { addresses4: 1, prefixes4: 1 } })).body;
  assert.deepEqual(blocks, ['10.20.1.16/28', '10.20.1.5/32']);
  for (const last of [5, 16, 31]) assert.ok(await reaches(one, `10.20.1.${last}`), String(last));
  assert.ok(await reaches(two, one.addresses[0] ?? '', '-I 10.20.1.31'), 'and may be sent from');
  await net.vpc.call('POST', `/v1/nics/${two.nic.id}/unassign`, { blocks });
  for (const last of [5, 16, 31]) assert.ok(await silent(one, `10.20.1.${last}`));
  assert.ok(await silent(two, one.addresses[0] ?? '', '-I 10.20.1.31'));
});

test('an address or a prefix asked for by value works at once, and where it has moved to once it has moved', async () => {
  await using net = await site();
  const [one, two, three] = [await net.launch('n1', net.a), await net.launch('n2', net.b), await net.launch('n3', net.b)];
  const these = ['10.20.1.77/32', '10.20.1.96/28', '2001:db8:20:1::77/128', '2001:db8:20:1:7::/80'];
  const addresses = ['10.20.1.77', '10.20.1.99', '2001:db8:20:1::77', '2001:db8:20:1:7::9'];
  for (const machine of [two, three])
    for (const address of addresses) await inside(machine, `ip addr add ${address}/${address.includes(':') ? 128 : 32} dev lo`);
  const ask = (machine: Machine, verb: string, body: object) => net.vpc.call('POST', `/v1/nics/${machine.nic.id}/${verb}`, body);
  for (const address of addresses) assert.ok(await silent(one, address), address);
  for (const [holder, other] of [
    [two, three],
    [three, two],
  ] as const) {
    assert.deepEqual((await ask(holder, 'assign', { want: { these } })).body, { blocks: these });
    assert.equal((await ask(other, 'assign', { want: { these } })).body.error.holder, holder.nic.id);
    for (const address of addresses) assert.ok(await reaches(one, address), address);
    assert.ok(await reaches(holder, one.addresses[0] ?? '', '-I 10.20.1.77'), 'and may be sent from');
    assert.ok(await silent(other, one.addresses[0] ?? '', '-I 10.20.1.77'), 'by its holder alone');
    assert.equal((await ask(holder, 'unassign', { blocks: these })).status, 204);
  }
  for (const address of addresses) assert.ok(await silent(one, address), address);
});

test('a NIC is plugged into a running instance, down and unconfigured, and out again, and traffic on the others loses nothing', async () => {
  await using net = await site();
  const [one, two] = [await net.launch('n1', net.a), await net.launch('n2', net.a)];
  const nic = (await net.vpc.call('POST', '/v1/nics', { clientToken: 't', subnet: net.b })).body;
  const traffic = inside(one, pingEach(two.addresses[0] ?? '', 0.01, 200));
  for (let i = 0; i < 4; i++) {
    assert.equal((await net.vpc.call('POST', `/v1/nics/${nic.id}/attach`, { instance: two.id, deviceIndex: 2 })).status, 204);
    const { out } = await inside(two, 'ip -o link show eth2; ip -o addr show eth2');
    assert.match(out, new RegExp(`state DOWN.*${nic.mac}`));
    assert.doesNotMatch(out, /inet/);
    assert.equal((await net.vpc.call('POST', `/v1/nics/${nic.id}/detach`)).status, 204);
    assert.match((await inside(two, 'ip link show eth2')).out, /does not exist/);
  }
  assert.deepEqual(unanswered((await traffic).out, 200), []);
  await net.vpc.call('POST', `/v1/nics/${nic.id}/attach`, { instance: two.id, deviceIndex: 1 });
  await inside(
    two,
    `ip addr add ${nic.primary4}/24 dev eth1; ip link set eth1 up; ip rule add from ${nic.primary4} lookup 100; ip route add default via 10.20.1.1 dev eth1 table 100`,
  );
  assert.ok(await reaches(one, nic.primary4));
  // A reply by the wrong NIC is what a real cloud drops too.
  await inside(two, 'ip rule del lookup 100; ip route del 10.20.1.0/24 dev eth1');
  assert.ok(await silent(one, nic.primary4));
  assert.ok((await drops(net, 'SourceAddress')).some((drop) => drop.nic === two.nic.id && drop.address === nic.primary4));
});
