/** Real packets for Neutron's ports: the emulated VPC wires what Neutron and Nova say before they answer. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { InstanceId, SubnetId } from '../../src/cloud/cloud.ts';
import { openStackCloud } from '../../src/cloud/openstack/openstack.ts';
import { firstOf } from '../../src/net/cidr.ts';
import { neutronFront } from '../../src/vpc/neutron/front.ts';
import { drops as dropsOf, inside, reaches, reachesSoon, silent } from '../vpc/site.ts';
import { guestsOf } from '../vpc/tagged.ts';
import { testVpc, type TestVpc } from '../vpc/support.ts';
import { eventually } from '../life/lab.ts';
import { type OpenStackBed, openStackBed } from './bed.ts';
import { as, attach, endServer, launch, make, portNow, removeNetworks, type Session } from './client.ts';

const NAME = `fpos${process.pid % 10_000}`;
const machine = (server: string): { netns: string } => ({ netns: `/run/netns/${NAME}-${server.slice(0, 8)}` });
interface Addressed {
  readonly fixed_ips: readonly { readonly ip_address: string }[];
}
const addressOf = ({ fixed_ips }: Addressed, family: 4 | 6 = 4): string =>
  fixed_ips.find(({ ip_address }) => ip_address.includes(':') === (family === 6))?.ip_address ?? '';

let bed: OpenStackBed;
let admin: Session;

interface Ground extends AsyncDisposable {
  readonly vpc: TestVpc;
  readonly network: string;
  readonly gateways: readonly string[];
  /** As the driver calls both subnets together. */
  readonly subnets: SubnetId;
  /** A server with one port in the network. */
  server(name: string, port?: object): Promise<{ id: string; netns: string; port: string; address: string; address6: string }>;
}

/** A VPC that Neutron tells of what it does, and a network with IPv4 and IPv6. */
async function ground(): Promise<Ground> {
  const vpc = await testVpc({ name: NAME, fabric: true, fronts: [neutronFront('127.0.0.1:0')] });
  const open = new AsyncDisposableStack();
  open.use(vpc);
  const servers: string[] = [];
  const networks: string[] = [];
  open.defer(async () => {
    for (const id of servers) await endServer(admin, id);
    await removeNetworks(admin, networks);
    bed.setHook(undefined);
  });
  try {
    bed.setHook(vpc.frontUrls['neutron']);
    const network = await make(admin, 'network', { name: 'nodes' });
    networks.push(network.id);
    const subnet = { network_id: network.id, enable_dhcp: false };
    const four = await make(admin, 'subnet', { ...subnet, ip_version: 4, cidr: '10.77.0.0/24' });
    const six = await make(admin, 'subnet', { ...subnet, ip_version: 6, cidr: '2001:db8:77::/64' });
    return {
      vpc,
      network: network.id,
      subnets: `${four.id}+${six.id}` as SubnetId, // as src/cloud/openstack says
      gateways: [four.gateway_ip, six.gateway_ip],
      async server(name, fields = {}) {
        const port = await make(admin, 'port', { network_id: network.id, name, ...fields });
        const id = await launch(admin, name, [port.id]);
        servers.push(id);
        return { id, netns: machine(id).netns, port: port.id, address: addressOf(port), address6: addressOf(port, 6) };
      },
      [Symbol.asyncDispose]: () => open.disposeAsync(),
    };
  } catch (error) {
    await open.disposeAsync();
    throw error;
  }
}

const drops = (on: Ground, reason: string): ReturnType<typeof dropsOf> =>
  dropsOf({ ...on, a: '', b: '', launch: () => Promise.reject() }, reason);

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
    await inside(one, 'ip addr add 10.77.0.97/32 dev eth0; ip addr add 10.77.0.130/32 dev eth0');
    assert.ok(await silent(one, two.address, '-I 10.77.0.97'));
    const pairs = async (...blocks: string[]): Promise<void> => {
      const answer = await admin.network('PUT', `/ports/${one.port}`, {
        port: { allowed_address_pairs: blocks.map((ip_address) => ({ ip_address })) },
      });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
    };
    await pairs('10.77.0.96/28');
    assert.ok(await reachesSoon(two, '10.77.0.97'));
    assert.ok(await reaches(one, two.address, '-I 10.77.0.97'));
    assert.ok(await silent(one, two.address, '-I 10.77.0.130'));
    assert.ok((await drops(on, 'SourceAddress')).some(({ nic, address }) => nic === one.port && address === '10.77.0.130'));
    await pairs();
    assert.ok(await silent(one, two.address, '-I 10.77.0.97'));
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
    const { out } = await inside({ netns: `/run/netns/${NAME}-fabric` }, 'ip -br link');
    assert.ok(!/^[ps][0-9a-f]{12}/m.test(out), out);
  });

  for (const multiMac of [false, true]) {
    test(`what the driver assigns to a NIC${multiMac ? ' without port security' : ''} carries packets when it has answered, and none when it was taken back`, async () => {
      await using on = await ground();
      const [one, two] = [await on.server('one'), await on.server('two')];
      using cloud = openStackCloud({ credentials: { variables: bed.environment('admin') }, deadline_ms: 120_000 });
      const request = { subnet: on.subnets, securityGroups: [], tags: { 'flatpod.dev/test': 'packets' }, description: 'packets', multiMac };
      const nic = await cloud.createNic({ ...request, clientToken: `packets-${multiMac}` });
      await cloud.attachNic(nic.id, one.id as InstanceId, 1); // Nova's id, as it gave it
      const [block] = await cloud.assign(nic.id, { prefixes4: 1 });
      assert.ok(block);
      const pod = firstOf(block);
      await inside(
        one,
        `ip link set eth1 up; ip addr add ${pod}/32 dev eth1; ip rule add from ${pod} lookup 7; ip route add default via 10.77.0.1 dev eth1 onlink table 7`,
      );
      assert.ok(
        (await reaches(one, two.address, `-I ${pod}`)) === !multiMac,
        'the default group lets in its own members, which a NIC without groups is not',
      );
      assert.ok(await reaches(one, '10.77.0.1', `-I ${pod}`));
      assert.ok(await reaches(two, pod));
      await cloud.unassign(nic.id, [block]);
      assert.ok(await silent(one, '10.77.0.1', `-I ${pod}`));
      assert.ok(await silent(two, pod));
    });
  }
});
