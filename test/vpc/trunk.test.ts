/** Branches of a trunk, with packets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openNetns } from '../../src/kernel/netns.ts';
import { listenIn } from '../../src/kernel/sockets.ts';
import { whoAmI } from '../life/asking.ts';
import { drops, inside, type Machine, pingEach, reaches, reachesSoon, silent, site, type Site, unanswered } from './site.ts';
import { guestsOf, type TaggedNic } from './tagged.ts';

interface Nic extends TaggedNic {
  readonly id: string;
}

let made = 0;

async function createNic({ vpc }: Site, subnet: string, more: object = {}): Promise<Nic> {
  const answer = await vpc.call('POST', '/v1/nics', { clientToken: `t${++made}`, subnet, ...more });
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return answer.body;
}

/** A trunk at device index 1. */
async function trunkOf(net: Site, machine: Machine): Promise<Nic> {
  const trunk = await createNic(net, net.a, { isTrunk: true });
  assert.equal((await net.vpc.call('POST', `/v1/nics/${trunk.id}/attach`, { instance: machine.id, deviceIndex: 1 })).status, 204);
  await inside(machine, 'ip link set eth1 up');
  return trunk;
}

const branch = async ({ vpc }: Site, nic: Nic, trunk: Nic, vlan: number): Promise<void> => {
  const answer = await vpc.call('POST', `/v1/nics/${nic.id}/attach-branch`, { trunk: trunk.id, vlan });
  assert.equal(answer.status, 204, JSON.stringify(answer.body));
};

test('a branch is reached by its tag on the trunk: its own Ethernet address, addresses and subnet, and the trunk itself without a tag', async () => {
  await using net = await site();
  const [one, two, far] = [await net.launch('n1', net.a), await net.launch('n2', net.a), await net.launch('n3', net.b)];
  const trunk = await trunkOf(net, one);
  const [here, there] = [await createNic(net, net.b), await createNic(net, net.b)];
  await branch(net, here, trunk, 7);
  await branch(net, there, trunk, 4094);
  const [guest, other] = await guestsOf(one, [[7, here] as const, [4094, there] as const], '10.20.1.1');
  assert.ok(guest && other);
  using _guest = guest;
  using _other = other;
  for (const to of ['10.20.1.1', ...two.addresses, ...far.addresses, there.primary4, there.primary6])
    assert.ok(await reaches(guest, to), to);
  for (const from of [two, far, other]) for (const to of [here.primary4, here.primary6]) assert.ok(await reaches(from, to), to);
  // A packet as long as the MTU passes with its tag.
  assert.ok(await reaches(guest, far.addresses[0] ?? '', '-M do -s 1472'));
  await inside(one, `ip addr add ${trunk.primary4}/24 dev eth1; ip route add ${two.addresses[0]}/32 dev eth1 src ${trunk.primary4}`);
  assert.ok(await reaches(one, two.addresses[0] ?? '', `-I ${trunk.primary4}`), 'what has no tag is the trunk’s own');
  using inGuest = openNetns(guest.netns);
  using inFar = openNetns(far.netns);
  const server = await listenIn(inFar, 8080);
  try {
    assert.equal(await whoAmI(inGuest, far.addresses[0] ?? '', 8080, 3000), here.primary4);
  } finally {
    server.close();
  }
});

test('a branch is checked like any NIC: its Ethernet address, its addresses, its security groups', async () => {
  await using net = await site();
  const [one, far] = [await net.launch('n1', net.a), await net.launch('n3', net.b)];
  const trunk = await trunkOf(net, one);
  const closed = (await net.vpc.call('POST', '/v1/security-groups', { name: 'closed', rules: [] })).body.id;
  const [free, shut] = [await createNic(net, net.b), await createNic(net, net.b, { securityGroups: [closed] })];
  await branch(net, free, trunk, 7);
  await branch(net, shut, trunk, 8);
  const [guest, prisoner] = await guestsOf(one, [[7, free] as const, [8, shut] as const], '10.20.1.1');
  assert.ok(guest && prisoner);
  using _guest = guest;
  using _prisoner = prisoner;
  const to = far.addresses[0] ?? '';
  assert.ok(await reaches(guest, to));
  assert.ok(await silent(prisoner, to));
  assert.ok((await drops(net, 'SecurityGroupEgress')).some(({ nic, address }) => nic === shut.id && address === shut.primary4));
  await inside(guest, `ip addr add ${shut.primary4}/24 dev eth0`);
  assert.ok(await silent(guest, to, `-I ${shut.primary4}`));
  assert.ok((await drops(net, 'SourceAddress')).some(({ nic, address }) => nic === free.id && address === shut.primary4));
  await inside(guest, 'ip link set eth0 address 02:00:00:00:00:99; ip route replace default via 10.20.1.1');
  assert.ok(await silent(guest, to));
  assert.ok((await drops(net, 'SourceMac')).some(({ nic, address }) => nic === free.id && address === '02:00:00:00:00:99'));
});

test('what has a tag that no branch has, or comes out of a NIC that is no trunk, is carried nowhere and told', async () => {
  await using net = await site();
  const [one, far] = [await net.launch('n1', net.a), await net.launch('n3', net.b)];
  const trunk = await trunkOf(net, one);
  const nic = await createNic(net, net.b);
  await branch(net, nic, trunk, 7);
  const [guest] = await guestsOf(one, [[9, nic] as const], '10.20.1.1');
  assert.ok(guest);
  using _guest = guest;
  assert.ok(await silent(guest, far.addresses[0] ?? ''));
  assert.deepEqual(
    (await drops(net, 'UnknownVlan')).map((drop) => [drop.nic, drop.address, drop.text.replace(/: dropped.*/, '')]),
    [[trunk.id, '9', `${trunk.id}: no branch has the VLAN tag 9 on this interface`]],
  );
  const plain = await createNic(net, net.b);
  await net.vpc.call('POST', `/v1/nics/${plain.id}/attach`, { instance: far.id, deviceIndex: 1 });
  await inside(far, 'ip link set eth1 up');
  const [stranger] = await guestsOf(far, [[7, nic] as const], '10.20.1.1');
  assert.ok(stranger);
  using _stranger = stranger;
  assert.ok(await silent(stranger, '10.20.1.1'));
  assert.ok((await drops(net, 'UnknownVlan')).some((drop) => drop.nic === plain.id && drop.address === '7'));
});

test('branches come and go on a running trunk, move to another tag, and survive a restart; the others lose nothing', async () => {
  await using net = await site();
  const [one, far] = [await net.launch('n1', net.a), await net.launch('n3', net.b)];
  const trunk = await trunkOf(net, one);
  const [stays, goes] = [await createNic(net, net.b), await createNic(net, net.b)];
  await branch(net, stays, trunk, 7);
  await branch(net, goes, trunk, 8);
  const [guest, other, ...later] = await guestsOf(one, [[7, stays] as const, [8, goes] as const, [9, goes] as const], '10.20.1.1');
  assert.ok(guest && other && later[0]);
  using _guest = guest;
  using _other = other;
  using moved = later[0];
  const to = far.addresses[0] ?? '';
  const traffic = inside(guest, pingEach(to, 0.01, 200));
  for (let i = 0; i < 3; i++) {
    assert.ok(await reachesSoon(other, to));
    assert.equal((await net.vpc.call('POST', `/v1/nics/${goes.id}/detach`)).status, 204);
    assert.ok(await silent(other, to));
    await branch(net, goes, trunk, 9);
    assert.ok(await reachesSoon(moved, to));
    await net.vpc.call('POST', `/v1/nics/${goes.id}/detach`);
    await branch(net, goes, trunk, 8);
  }
  assert.deepEqual(unanswered((await traffic).out, 200), []);
  await net.vpc.restart();
  assert.deepEqual(
    (await drops(net, 'SourceMac')).filter(({ nic }) => nic !== trunk.id),
    [],
    'the fabric says nothing of its own there',
  );
  assert.ok(await reaches(guest, to));
  assert.ok(await reachesSoon(other, to));
  await net.vpc.call('DELETE', `/v1/instances/${one.id}`);
  const { body } = await net.vpc.call('GET', `/v1/nics?id=${stays.id}`);
  assert.equal(body.items[0].branch, undefined, 'a branch is detached with the instance of its trunk');
});
