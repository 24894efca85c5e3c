/** Real packets for Neutron's ports: the emulated VPC wires what Neutron and Nova say before they answer. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { inside, reaches, reachesSoon, silent } from '../vpc/site.ts';
import { guestsOf } from '../vpc/tagged.ts';
import { eventually } from '../life/lab.ts';
import { type OpenStackBed, openStackBed } from './bed.ts';
import { as, attach, endServer, make, portNow, removeNetworks, type Session } from './client.ts';
import { addressOf, drops, FABRIC, type FabricGround, fabricGround } from './fabric-ground.ts';

let bed: OpenStackBed;
let admin: Session;

const ground = (): Promise<FabricGround> => fabricGround(bed, { admin, owner: admin });
// A suite, so that the bed is there for these tests alone: hooks of a file would run before the first test of all files.
describe('Neutron before the emulated VPC', () => {
  before(async () => {
    bed = await openStackBed();
    admin = await as(bed, 'admin');
  });
  after(async () => bed?.[Symbol.asyncDispose]());

  test('two servers of Nova reach one another as soon as they are there, and a NIC that Nova attaches is a link with its MAC', async () => {
    await using on = await ground();
    const [one, two] = [await on.server('one'), await on.server('two')];
    for (const to of [two.address, two.address6, ...on.gateways]) assert.ok(await reaches(one, to), to);
    const nic = await make(admin, 'port', { network_id: on.network, name: 'second' });
    await attach(admin, one.id, nic.id);
    const links = async (): Promise<string> => (await inside(one, 'ip -br link')).out;
    assert.match(await links(), new RegExp(`^eth1@\\S+ +DOWN +${nic.mac_address} `, 'm'));
    await admin.compute('DELETE', `/servers/${one.id}/os-interface/${nic.id}`);
    await eventually('the NIC is out', async () => !(await links()).includes('eth1'), 60);
    assert.ok(await reaches(one, two.address));
  });

  test('an address of a pair passes once it is a pair and no longer when it is none; others are dropped', async () => {
    await using on = await ground();
    const [one, two] = [await on.server('one'), await on.server('two')];
    await inside(one, 'ip addr add 10.77.0.193/32 dev eth0; ip addr add 10.77.0.226/32 dev eth0');
    assert.ok(await silent(one, two.address, '-I 10.77.0.193'));
    const pairs = async (...blocks: string[]): Promise<void> => {
      const answer = await admin.network('PUT', `/ports/${one.port}`, {
        port: { allowed_address_pairs: blocks.map((ip_address) => ({ ip_address })) },
      });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
    };
    await pairs('10.77.0.192/28');
    assert.ok(await reachesSoon(two, '10.77.0.193'));
    assert.ok(await reaches(one, two.address, '-I 10.77.0.193'));
    assert.ok(await silent(one, two.address, '-I 10.77.0.226'));
    assert.ok((await drops(on, 'SourceAddress')).some(({ nic, address }) => nic === one.port && address === '10.77.0.226'));
    await pairs();
    assert.ok(await silent(one, two.address, '-I 10.77.0.193'));
    assert.ok((await portNow(admin, one.port)).allowed_address_pairs.length === 0);
  });

  const setPort = async (port: string, fields: object): Promise<void> => {
    const answer = await admin.network('PUT', `/ports/${port}`, { port: fields });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  };

  test('neighbours of IPv6 find each other on the link, though Neutron chose their MACs', async () => {
    await using on = await ground();
    const [one, two] = [await on.server('one'), await on.server('two')];
    await inside(one, `ip -6 route add 2001:db8:77::/64 dev eth0 src ${one.address6}`);
    assert.ok(await reaches(one, two.address6));
    assert.match((await inside(one, 'ip -6 neigh')).out, new RegExp(`${two.address6} .*lladdr`));
  });

  test('of a pair that two ports have, the one that got it last gets the packets', async () => {
    await using on = await ground();
    const [one, two, asker] = [await on.server('one'), await on.server('two'), await on.server('asker')];
    for (const { netns } of [one, two]) await inside({ netns }, 'ip addr add 10.77.0.200/32 dev lo');
    const pair = { allowed_address_pairs: [{ ip_address: '10.77.0.200' }] };
    await setPort(one.port, pair);
    assert.ok(await reachesSoon(asker, '10.77.0.200'));
    await setPort(two.port, pair);
    assert.ok(await reachesSoon(asker, '10.77.0.200'));
    assert.ok(await reaches(two, asker.address, '-I 10.77.0.200'));
    assert.ok(await silent(one, asker.address, '-I 10.77.0.200'));
    await setPort(two.port, { allowed_address_pairs: [] });
    assert.ok(await reachesSoon(one, asker.address));
    assert.ok(await reaches(one, asker.address, '-I 10.77.0.200'));
  });

  test('security groups let in what their rules say, from the moment that Neutron has answered', async (t) => {
    await using on = await ground();
    const group = (await admin.network('POST', '/security-groups', { security_group: { name: 'closed' } })).body.security_group.id;
    t.after(() => admin.network('DELETE', `/security-groups/${group}`));
    const [one, two] = [await on.server('one'), await on.server('two', { security_groups: [group] })];
    assert.ok(await silent(one, two.address));
    assert.ok((await drops(on, 'SecurityGroupIngress')).some(({ nic }) => nic === two.port));
    const rule = { security_group_id: group, direction: 'ingress', ethertype: 'IPv4', protocol: 'icmp' };
    const made = await admin.network('POST', '/security-group-rules', { security_group_rule: rule });
    assert.equal(made.status, 201);
    assert.ok(await reaches(one, two.address));
    await admin.network('DELETE', `/security-group-rules/${made.body.security_group_rule.id}`);
    // A ping of its own is a connection of its own.
    assert.ok(await silent(one, two.address));
  });

  test('without port security a NIC may have any MAC, and the addresses of ports that name it as their device', async () => {
    await using on = await ground();
    const [one, two] = [await on.server('one'), await on.server('two')];
    const record = await make(admin, 'port', { network_id: on.network, device_id: one.port, device_owner: 'flatpod:block' });
    const address = addressOf(record);
    await inside(one, `ip addr add ${address}/32 dev eth0`);
    const gateway = on.gateways[0] ?? '';
    assert.ok(await silent(one, gateway, `-I ${address}`));
    await setPort(one.port, { port_security_enabled: false, security_groups: [] });
    assert.ok(await reachesSoon(two, address));
    await inside(one, 'ip link set eth0 address 02:00:00:00:00:99');
    assert.ok(await reachesSoon(one, gateway));
    assert.ok(await reaches(one, gateway, `-I ${address}`));
    assert.ok(await reachesSoon(two, address), 'where it was seen last');
  });

  test('a subport is reached by its VLAN tag on the trunk, with a MAC and addresses of its own, and no longer once it is taken off', async () => {
    await using on = await ground();
    const [one, two] = [await on.server('one'), await on.server('two')];
    const [parent, sub] = [await make(admin, 'port', { network_id: on.network }), await make(admin, 'port', { network_id: on.network })];
    const trunk = await make(admin, 'trunk', { port_id: parent.id });
    await attach(admin, one.id, parent.id);
    await inside(one, 'ip link set eth1 up');
    const change = async (how: string): Promise<void> => {
      const entry = { port_id: sub.id, segmentation_type: 'vlan', segmentation_id: 7 };
      const answer = await admin.network('PUT', `/trunks/${trunk.id}/${how}_subports`, { sub_ports: [entry] });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
    };
    await change('add');
    const behind = { mac: sub.mac_address, primary4: addressOf(sub), primary6: addressOf(sub, 6) };
    const [guest] = await guestsOf(one, [[7, behind]], '10.77.0.1');
    assert.ok(guest);
    using _guest = guest;
    for (const to of [two.address, two.address6]) assert.ok(await reaches(guest, to), to);
    assert.ok(await reaches(two, behind.primary4));
    await change('remove');
    assert.ok(await silent(two, behind.primary4));
    await admin.compute('DELETE', `/servers/${one.id}/os-interface/${parent.id}`);
    await eventually('the trunk is let go', async () => (await portNow(admin, parent.id)).device_id === '', 60);
  });

  test('the VPC may be ended and started again while Neutron runs: packets go on, and it hears of what comes next', async () => {
    await using on = await ground();
    const [one, two] = [await on.server('one'), await on.server('two')];
    await on.vpc.restart();
    bed.setHook(on.vpc.frontUrls['neutron']);
    assert.ok(await reaches(one, two.address));
    const three = await on.server('three');
    assert.ok(await reaches(three, one.address));
  });

  test('what Neutron deletes leaves nothing: no namespace, no bridge', async () => {
    await using on = await ground();
    const { id, netns } = await on.server('one');
    assert.ok(existsSync(netns));
    await endServer(admin, id);
    await removeNetworks(admin, [on.network]);
    assert.ok(!existsSync(netns));
    const { out } = await inside({ netns: `/run/netns/${FABRIC}-fabric` }, 'ip -br link');
    assert.ok(!/^[ps][0-9a-f]{12}/m.test(out), out);
  });
});
