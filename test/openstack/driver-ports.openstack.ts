/** Addresses that are ports of their own, and subnets that are for some ports only, in a real Neutron; what the contract says of all is in contract-ports.openstack.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SubnetId } from '../../src/cloud/cloud.ts';
import type { Addressing } from '../../src/cloud/openstack/context.ts';
import type { OpenStackOptions } from '../../src/cloud/openstack/openstack.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { firstOf, parseCidr } from '../../src/net/cidr.ts';
import { eventually } from '../life/lab.ts';
import { make, portNow, removeNetworks } from './client.ts';
import { type Desk, desk, type RawPort } from './driver-desk.ts';

const podPorts = async (it: Desk): Promise<RawPort[]> => (await it.ports()).filter(({ device_owner }) => device_owner === 'flatpod:pod');

/** As a PodSubnet says. */
const by = (addressing: Addressing): Partial<OpenStackOptions> => ({ slotsPerNic: 100, addressing: () => addressing });

test('a burst of addresses is one request, each its own port by name, owner and tags; the NIC is changed for the first alone', async () => {
  await using it = await desk('ports');
  const { ground, proxy } = it;
  const cloud = it.open(by('ports'));
  const { id } = await cloud.createNic(it.request());
  proxy.plan();
  // More, and farther apart, than a NIC may have pairs.
  const apart = Array.from({ length: 12 }, (_, i) => parseCidr(`10.20.0.${64 + 2 * i}/32`));
  assert.deepEqual(await cloud.assign(id, { these: apart }), apart);
  assert.deepEqual(
    proxy.changes.map((one) => one.replace(id, 'NIC')),
    ['POST /v2.0/ports', 'PUT /v2.0/ports/NIC'],
  );
  const pairs = (await portNow(ground.demo, id)).allowed_address_pairs.map((pair: { ip_address: string }) => pair.ip_address);
  assert.deepEqual(pairs.toSorted(), ['10.20.0.0/24', '2001:db8:20::/64']);
  proxy.plan();
  const more = await cloud.assign(id, { addresses4: 20 });
  assert.equal(more.length, 20);
  assert.deepEqual(proxy.changes, ['POST /v2.0/ports']);
  const ports = await podPorts(it);
  const addresses = [...apart, ...more].map(firstOf);
  assert.deepEqual(ports.map(({ name }) => name).toSorted(), addresses.map((ip) => `flatpod-pod ${ip}`).toSorted());
  for (const { name, fixed_ips, tags, security_groups } of ports) {
    assert.deepEqual(
      fixed_ips.map((one) => `flatpod-pod ${one.ip_address}`),
      [name],
    );
    assert.ok(tags.includes('flatpod.dev~2fcluster=ports'), tags.join());
    assert.deepEqual(security_groups, []);
  }
  proxy.plan();
  await cloud.unassign(id, apart);
  assert.deepEqual(new Set(proxy.changes.map((one) => one.split(' ')[0])), new Set(['DELETE']));
  assert.equal((await podPorts(it)).length, 20);
  await cloud.unassign(id, more);
  assert.deepEqual((await portNow(ground.demo, id)).allowed_address_pairs, []);
});

test('a subnet whose addressing is changed keeps what it has in the old way, and gives it back', async () => {
  await using it = await desk('ports');
  const { ground } = it;
  const [ports, blocks] = [it.open(by('ports')), it.open(by('blocks'))];
  const apart = Array.from({ length: 12 }, (_, i) => parseCidr(`10.20.0.${64 + 2 * i}/32`));
  const { id } = await ports.createNic(it.request({ want: { these: apart } }));
  const [prefix] = await blocks.assign(id, { prefixes4: 1 });
  assert.ok(prefix !== undefined);
  assert.deepEqual((await blocks.nics({ ids: [id] }))[0]?.blocks.toSorted(), [...apart, prefix].toSorted());
  await blocks.unassign(id, apart);
  const pairs = (await portNow(ground.demo, id)).allowed_address_pairs.map((pair: { ip_address: string }) => pair.ip_address);
  assert.deepEqual(pairs, [prefix]);
  assert.deepEqual((await ports.assign(id, { addresses4: 1 })).length, 1);
  assert.equal((await ports.nics({ ids: [id] }))[0]?.blocks.length, 2);
});

test('an IPv6 subnet gives /80 blocks beside Pods’ ports, and prefixes of IPv4 are refused', async () => {
  await using it = await desk('ports');
  const cloud = it.open(by('ports'));
  const { id } = await cloud.createNic(it.request({ want: { addresses4: 1, prefixes6: 1 } }));
  assert.deepEqual((await cloud.nics({ ids: [id] }))[0]?.blocks.map((block) => block.split('/')[1]).toSorted(), ['32', '80']);
  await assert.rejects(cloud.assign(id, { prefixes4: 1 }), (error: unknown) => isFailure(error, 'cloudInvalid'));
});

for (const addressing of ['blocks', 'ports'] as const)
  test(`${addressing}: in a subnet for compute:flatpod our ports bear that type, and Nova attaches, detaches and attaches them again`, async () => {
    await using it = await desk('ports');
    const { demo, instance } = it.ground;
    const cloud = it.open(by(addressing));
    const net = (await make(demo, 'network', { name: 'typed' })).id as string;
    try {
      const typed = { network_id: net, ip_version: 4, enable_dhcp: false, service_types: ['compute:flatpod'] };
      const subnet = (await make(demo, 'subnet', { ...typed, cidr: '10.78.0.0/24' })).id as SubnetId;
      const nic = await cloud.createNic(it.request({ subnet, want: { addresses4: 2 } }));
      assert.equal(nic.blocks.length, 2);
      const owners = async (): Promise<Set<string>> =>
        new Set((await demo.network('GET', `/ports?network_id=${net}`)).body.ports.map((port: RawPort) => port.device_owner));
      assert.deepEqual(await owners(), new Set(['compute:flatpod']));
      // Whoever is not of that type gets nothing there.
      const other = await demo.network('POST', '/ports', { port: { network_id: net, device_owner: 'somebody:else' } });
      assert.equal(other.status, 409, JSON.stringify(other.body));
      for (let round = 0; round < 2; round++) {
        await cloud.attachNic(nic.id, instance, 1);
        await eventually('it is attached', async () => (await cloud.nics({ ids: [nic.id] }))[0]?.attachment?.state === 'attached', 60);
        const [more] = await cloud.assign(nic.id, { addresses4: 1 });
        assert.ok(more !== undefined);
        await cloud.unassign(nic.id, [more]);
        await cloud.detachNic(nic.id);
        await eventually('it is detached', async () => (await cloud.nics({ ids: [nic.id] }))[0]?.attachment === undefined, 60);
      }
      assert.deepEqual((await cloud.nics({ ids: [nic.id] }))[0]?.blocks.toSorted(), nic.blocks.toSorted());
      await cloud.deleteNic(nic.id);
      assert.deepEqual(await owners(), new Set());
    } finally {
      await removeNetworks(demo, [net]);
    }
  });

test('a subnet whose types are all of the network’s own ports is refused with its types and with what to write', async () => {
  await using it = await desk('ports');
  const { demo } = it.ground;
  const net = (await make(demo, 'network', { name: 'routers' })).id as string;
  try {
    const typed = { network_id: net, ip_version: 4, enable_dhcp: false, service_types: ['network:router_gateway'] };
    const subnet = (await make(demo, 'subnet', { ...typed, cidr: '10.79.0.0/24' })).id as SubnetId;
    await assert.rejects(it.open(by('blocks')).createNic(it.request({ subnet })), (error: unknown) => {
      assert.ok(isFailure(error, 'cloudInvalid'), String(error));
      assert.match(error.details, /is for network:router_gateway: .* such as compute:flatpod/);
      return true;
    });
    assert.deepEqual((await demo.network('GET', `/ports?network_id=${net}`)).body.ports, []);
  } finally {
    await removeNetworks(demo, [net]);
  }
});

test('further fixed IPs of a NIC that is on a server need the server’s own type too', async () => {
  await using it = await desk('ports');
  const { demo, instance } = it.ground;
  const cloud = it.open(by('fixed-ips'));
  const net = (await make(demo, 'network', { name: 'typed' })).id as string;
  try {
    const typed = { network_id: net, ip_version: 4, enable_dhcp: false, service_types: ['compute:flatpod'] };
    const subnet = (await make(demo, 'subnet', { ...typed, cidr: '10.78.0.0/24' })).id as SubnetId;
    const nic = await cloud.createNic(it.request({ subnet, want: { addresses4: 1 } }));
    await cloud.attachNic(nic.id, instance, 1);
    await assert.rejects(cloud.assign(nic.id, { addresses4: 1 }), (error: unknown) => {
      assert.ok(isFailure(error, 'cloudInvalid'), String(error));
      assert.match(error.details, /is for compute:flatpod, and the interface is compute:nova/);
      return true;
    });
    const both = { subnet: { service_types: ['compute:flatpod', 'compute:nova'] } };
    assert.equal((await demo.network('PUT', `/subnets/${subnet}`, both)).status, 200);
    assert.equal((await cloud.assign(nic.id, { addresses4: 1 })).length, 1);
    await cloud.detachNic(nic.id);
    await eventually('it is detached', async () => (await cloud.nics({ ids: [nic.id] }))[0]?.attachment === undefined, 60);
  } finally {
    await removeNetworks(demo, [net]);
  }
});

for (const addressing of ['blocks', 'ports'] as const)
  test(`${addressing}: what reserves is switched off, and one of before that is on is as good`, async () => {
    await using it = await desk('ports');
    const { demo } = it.ground;
    const cloud = it.open(by(addressing));
    const nic = await cloud.createNic(it.request({ want: { addresses4: 1 } }));
    const given = [...nic.blocks, ...(await cloud.assign(nic.id, { addresses4: 1 }))];
    const isOn = new Map((await it.ports()).map(({ id, admin_state_up }) => [id, admin_state_up]));
    assert.equal(isOn.size, 3);
    for (const [id, is] of isOn) assert.equal(is, id === nic.id);
    for (const id of isOn.keys()) assert.equal((await demo.network('PUT', `/ports/${id}`, { port: { admin_state_up: true } })).status, 200);
    assert.deepEqual((await cloud.nics({ ids: [nic.id] }))[0]?.blocks.toSorted(), given.toSorted());
    await cloud.unassign(nic.id, given);
    assert.deepEqual(
      (await it.ports()).map(({ id }) => id),
      [nic.id],
    );
  });
