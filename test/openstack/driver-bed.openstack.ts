/** What the driver does in a real Neutron beyond the contract: permissions, strays, two who change the same NIC, and limits that leave nothing behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CreateNic, SubnetId } from '../../src/cloud/cloud.ts';
import { type OpenStackCloud, openStackCloud, type OpenStackOptions } from '../../src/cloud/openstack/openstack.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { overlaps, parseCidr } from '../../src/net/cidr.ts';
import { make, portNow, removeNetworks } from './client.ts';
import { type DriverGround, sharedGround } from './driver-ground.ts';

interface Desk extends AsyncDisposable {
  readonly ground: DriverGround;
  open(options?: Partial<OpenStackOptions>): OpenStackCloud;
}

async function desk(): Promise<Desk> {
  const ground = await sharedGround();
  const clouds: OpenStackCloud[] = [];
  return {
    ground,
    open(options = {}) {
      const cloud = openStackCloud({ credentials: { variables: ground.bed.environment('demo') }, deadline_ms: 120_000, ...options });
      clouds.push(cloud);
      return cloud;
    },
    async [Symbol.asyncDispose]() {
      for (const cloud of clouds) cloud[Symbol.dispose]();
      await ground.clean();
    },
  };
}

let tokens = 0;
const tags = { 'flatpod.dev/cluster': 'bed' };
const request = (ground: DriverGround, more: Partial<CreateNic> = {}): CreateNic => ({
  clientToken: `bed-${process.pid}-${++tokens}-${Date.now()}`,
  subnet: ground.subnet,
  securityGroups: [],
  tags,
  description: 'bed',
  ...more,
});
const kindIs =
  (kind: Parameters<typeof isFailure>[1], words = /./) =>
  (error: unknown): boolean => {
    assert.ok(isFailure(error, kind), String(error));
    assert.match(error.details, words);
    return true;
  };
const taggedPorts = async ({ demo, network }: DriverGround): Promise<{ id: string; tags: string[]; device_owner: string }[]> =>
  (await demo.network('GET', `/ports?network_id=${network}`)).body.ports.filter((port: { tags: string[] }) => port.tags.length > 0);

test('what a member may not do on a network of others is named, one by one, and nothing is made by asking', async () => {
  await using it = await desk();
  const { admin, demo } = it.ground;
  const cloud = it.open();
  assert.deepEqual(await cloud.missingPermissions([it.ground.subnet]), []);
  const { id } = await make(admin, 'network', { name: 'theirs', shared: true });
  try {
    const subnet = await make(admin, 'subnet', { network_id: id, ip_version: 4, cidr: '10.77.0.0/24', enable_dhcp: false });
    const missing = await cloud.missingPermissions([subnet.id as SubnetId]);
    assert.deepEqual(
      missing.map((text) => /may not (\S+?),/.exec(text)?.[1]),
      ['create_port:fixed_ips:ip_address', 'create_port:allowed_address_pairs', 'create_port:port_security_enabled'],
    );
    assert.deepEqual((await demo.network('GET', `/ports?network_id=${id}`)).body.ports, []);
    await assert.rejects(
      cloud.createNic(request(it.ground, { subnet: subnet.id as SubnetId, want: { prefixes4: 1 } })),
      kindIs('cloudDenied', /PolicyNotAuthorized/),
    );
  } finally {
    await removeNetworks(admin, [id]);
  }
});

test('reservations whose NIC was deleted by hand are found by their tags and can be dropped; those of a NIC cannot', async () => {
  await using it = await desk();
  const { demo } = it.ground;
  const cloud = it.open();
  const nic = await cloud.createNic(request(it.ground, { want: { prefixes4: 1 } }));
  const kept = await cloud.createNic(request(it.ground, { want: { addresses4: 1 } }));
  assert.deepEqual(await cloud.strays(tags), []);
  await demo.network('DELETE', `/ports/${nic.id}`);
  const strays = await cloud.strays(tags);
  assert.deepEqual(
    strays.map(({ block }) => block),
    nic.blocks,
  );
  assert.deepEqual(
    (await cloud.nics({ tags })).map(({ id }) => id),
    [kept.id],
  );
  const other = (await taggedPorts(it.ground)).find((port) => port.device_owner === 'flatpod:block' && port.id !== strays[0]?.port);
  assert.ok(other !== undefined && strays[0] !== undefined);
  // An id of Neutron's own.
  await assert.rejects(cloud.dropStray(other.id as typeof kept.id), kindIs('cloudConflict', /its NIC is there/));
  await assert.rejects(cloud.dropStray(kept.id), kindIs('cloudConflict', /no reservation/));
  await cloud.dropStray(strays[0].port);
  await cloud.dropStray(strays[0].port);
  assert.equal((await taggedPorts(it.ground)).length, 2);
});

test('two who change one NIC at the same time both get what they asked for', async () => {
  await using it = await desk();
  const [one, two] = [it.open(), it.open()];
  const { id } = await one.createNic(request(it.ground));
  const given = await Promise.all([one.assign(id, { prefixes4: 1 }), two.assign(id, { prefixes4: 1 })]);
  const [a, b] = given.flat();
  assert.ok(a !== undefined && b !== undefined && given.flat().length === 2 && !overlaps(a, b), given.join());
  const [now] = await one.nics({ ids: [id] });
  assert.deepEqual(now?.blocks.toSorted(), given.flat().toSorted());
});

test('blocks that lie together are one address pair, and others keep theirs', async () => {
  await using it = await desk();
  const { demo } = it.ground;
  const cloud = it.open();
  const { id } = await cloud.createNic(request(it.ground));
  const foreign = { ip_address: '192.0.2.7', mac_address: 'fa:16:3e:aa:aa:aa' };
  await demo.network('PUT', `/ports/${id}`, { port: { allowed_address_pairs: [foreign] } });
  const these = ['10.20.0.64/28', '10.20.0.80/28', '10.20.0.96/28', '10.20.0.112/28'].map(parseCidr);
  await cloud.assign(id, { these });
  const pairs = async (): Promise<string[]> =>
    (await portNow(demo, id)).allowed_address_pairs.map((pair: { ip_address: string }) => pair.ip_address).toSorted();
  assert.deepEqual(await pairs(), ['10.20.0.64/26', '192.0.2.7']);
  await cloud.unassign(id, these.slice(0, 1));
  assert.deepEqual(await pairs(), ['10.20.0.80/28', '10.20.0.96/27', '192.0.2.7']);
  await cloud.unassign(id, these);
  assert.deepEqual(await pairs(), ['192.0.2.7']);
});

test('a NIC without port security needs no pairs', async () => {
  await using it = await desk();
  const cloud = it.open();
  const { id } = await cloud.createNic(request(it.ground, { multiMac: true }));
  const [block] = await cloud.assign(id, { prefixes4: 1 });
  assert.ok(block !== undefined);
  assert.deepEqual((await cloud.nics({ ids: [id] }))[0]?.blocks, [block]);
  await cloud.unassign(id, [block]);
  assert.equal((await taggedPorts(it.ground)).length, 1);
});

test('more pairs than a NIC may have, by our count or by Neutron’s, and a quota that is used up leave nothing behind', async () => {
  await using it = await desk();
  const { admin, demo } = it.ground;
  const [few, many] = [it.open({ pairsPerNic: 1 }), it.open({ pairsPerNic: 20 })];
  const { id } = await few.createNic(request(it.ground));
  const apart = Array.from({ length: 11 }, (_, i) => parseCidr(`10.20.0.${64 + 2 * i}/32`));
  await assert.rejects(few.assign(id, { these: apart.slice(0, 2) }), kindIs('cloudLimit', /2 address pairs/));
  await assert.rejects(many.assign(id, { these: apart }), kindIs('cloudLimit', /AllowedAddressPairExhausted/));
  assert.equal((await taggedPorts(it.ground)).length, 1);
  const quota = (ports: number) => admin.network('PUT', `/quotas/${demo.project}`, { quota: { port: ports } });
  try {
    await quota(1);
    await assert.rejects(many.createNic(request(it.ground, { want: { prefixes4: 1 } })), kindIs('cloudLimit', /OverQuota/));
    await assert.rejects(many.assign(id, { prefixes4: 1 }), kindIs('cloudLimit', /OverQuota/));
  } finally {
    await quota(500);
  }
  assert.equal((await taggedPorts(it.ground)).length, 1);
});

test('the node’s own interface can hold blocks, and keeps what it had', async () => {
  await using it = await desk();
  const { ground } = it;
  const cloud = it.open();
  const [first] = await cloud.nics({ instance: ground.instance });
  assert.ok(first !== undefined);
  const these = ['10.20.0.64/28', '10.20.0.100/32', '2001:db8:20::99/128'].map(parseCidr);
  try {
    assert.deepEqual(await cloud.assign(first.id, { these }), these);
    const [now] = await cloud.nics({ instance: ground.instance });
    assert.deepEqual(now?.blocks.toSorted(), these.toSorted());
    assert.deepEqual([now?.primary4, now?.primary6], [first.primary4, first.primary6]);
  } finally {
    await cloud.unassign(first.id, these);
  }
  const [after] = await cloud.nics({ instance: ground.instance });
  assert.deepEqual([after?.blocks, after?.primary4, after?.primary6], [[], first.primary4, first.primary6]);
});
