/** What the driver does in a real Neutron beyond the contract: permissions, strays, two who change the same NIC, and limits that leave nothing behind. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CloudNic, SubnetId } from '../../src/cloud/cloud.ts';
import { startController } from '../../src/controller/controller.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { createLog } from '../../src/log.ts';
import { demand, memoryNetworks } from '../controller/harness.ts';
import type { GrantedNic } from '../../src/store/node-network.ts';
import { firstOf, overlaps, parseCidr } from '../../src/net/cidr.ts';
import { make, portNow, removeNetworks } from './client.ts';
import { desk } from './driver-desk.ts';

const tags = { 'flatpod.dev/cluster': 'bed' };
/** A node's word that the NIC is its own. */
const granted = ({ id, mac, mtu, blocks }: CloudNic): GrantedNic => ({
  id,
  mac,
  subnet: 'pods',
  deviceIndex: 1,
  mtu,
  blocks,
  reclaiming: [],
});
const kindIs =
  (kind: Parameters<typeof isFailure>[1], words = /./) =>
  (error: unknown): boolean => {
    assert.ok(isFailure(error, kind), String(error));
    assert.match(error.details, words);
    return true;
  };

test('what a member may not do on a network of others is named, one by one, and nothing is made by asking', async () => {
  await using it = await desk('bed');
  const { admin, demo } = it.ground;
  const cloud = it.open();
  assert.deepEqual(await cloud.missingPermissions([it.ground.subnet]), []);
  const { id } = await make(admin, 'network', { name: 'theirs', shared: true });
  try {
    const subnet = await make(admin, 'subnet', { network_id: id, ip_version: 4, cidr: '10.77.0.0/24', enable_dhcp: false });
    const missing = await cloud.missingPermissions([subnet.id as SubnetId]);
    assert.deepEqual(
      missing.map((text) => /may not (\S+?),/.exec(text)?.[1]),
      [
        'create_port:mac_address',
        'create_port:fixed_ips:ip_address',
        'create_port:allowed_address_pairs',
        'create_port:port_security_enabled',
      ],
    );
    assert.deepEqual((await demo.network('GET', `/ports?network_id=${id}`)).body.ports, []);
    await assert.rejects(
      cloud.createNic(it.request({ subnet: subnet.id as SubnetId, want: { prefixes4: 1 } })),
      kindIs('cloudDenied', /PolicyNotAuthorized/),
    );
  } finally {
    await removeNetworks(admin, [id]);
  }
});

test('what a policy forbids of changes and of trunks is named, asked of what is there, which stays as it was', async () => {
  await using it = await desk('bed');
  const { bed, demo, subnet } = it.ground;
  const cloud = it.open();
  const policy = join(bed.state, 'etc/neutron-policy.yaml');
  const { id } = await cloud.createNic(it.request({ isTrunk: true, want: { prefixes4: 1 } }));
  const before = await portNow(demo, id);
  const rules = ['update_port:allowed_address_pairs', 'update_port:fixed_ips', 'create_trunk', 'add_subports', 'remove_subports'];
  const was = readFileSync(policy, 'utf8');
  try {
    // Neutron reads it again by itself.
    writeFileSync(policy, rules.map((rule) => `"${rule}": "!"\n`).join(''));
    const named = new Set((await cloud.missingPermissions([subnet])).map((text) => /may not (\S+?),? /.exec(text)?.[1]));
    assert.deepEqual(named, new Set(rules));
  } finally {
    writeFileSync(policy, was);
  }
  assert.deepEqual(await portNow(demo, id), before);
  assert.deepEqual(await cloud.missingPermissions([subnet]), []);
});

test('reservations whose NIC was deleted by hand are detached NICs of the cluster and nobody else’s; those of a NIC cannot be deleted', async () => {
  await using it = await desk('bed');
  const { demo } = it.ground;
  const cloud = it.open();
  const node = { ...tags, 'flatpod.dev/node': 'n1' };
  const nic = await cloud.createNic(it.request({ tags: node, want: { prefixes4: 1 } }));
  const kept = await cloud.createNic(it.request({ tags: node, want: { addresses4: 1 } }));
  await demo.network('DELETE', `/ports/${nic.id}`);
  const ids = async (of: Readonly<Record<string, string>>): Promise<string[]> => (await cloud.nics({ tags: of })).map(({ id }) => id);
  assert.deepEqual(await ids(node), [kept.id], 'of a node only what is one');
  const stray = (await cloud.nics({ tags })).find(({ id }) => id !== kept.id);
  assert.ok(stray !== undefined);
  assert.deepEqual([stray.blocks, stray.tags, stray.attachment], [nic.blocks, node, undefined]);
  assert.deepEqual(await cloud.nics({ ids: [stray.id] }), [stray]);
  const other = (await it.ports()).find((port) => port.device_owner === 'flatpod:block' && port.id !== stray.id);
  assert.ok(other !== undefined);
  // An id of Neutron's own.
  const reserved = other.id as typeof kept.id;
  assert.deepEqual(await cloud.nics({ ids: [reserved] }), []);
  await assert.rejects(cloud.deleteNic(reserved), kindIs('cloudConflict', /its NIC is there/));
  await cloud.deleteNic(stray.id);
  await cloud.deleteNic(stray.id);
  assert.deepEqual((await it.ports()).map(({ id }) => id).toSorted(), [kept.id, other.id].toSorted());
});

test('the sweep takes such reservations away when it has seen them twice, and says so instead where nothing may be given back', async () => {
  await using it = await desk('bed');
  const { demo } = it.ground;
  const cloud = it.open();
  const nic = await cloud.createNic(it.request({ want: { addresses4: 2 } }));
  const used = await cloud.createNic(it.request({ want: { prefixes4: 1 } }));
  await demo.network('DELETE', `/ports/${nic.id}`);
  let later_ms = 0;
  const networks = memoryNetworks();
  await demand(networks, it.ground.instance, {});
  await networks.writeStatus('n1', { vpcCidrs: [], nics: [granted(used)], growth: [] });
  const controller = await startController({
    cluster: 'bed',
    networks,
    subnets: () => [],
    cloud,
    log: createLog('test', 'error', () => undefined),
    clock: { now_ms: () => Date.now() + later_ms, after: () => () => undefined },
    random: () => 0.5,
    timings: { sweep_ms: 10 ** 9 },
  });
  try {
    assert.deepEqual(await controller.sweepOnce(), [], 'too young');
    later_ms += 301_000;
    assert.deepEqual(await controller.sweepOnce(), [], 'seen once');
    later_ms += 61_000;
    const told = await controller.sweepOnce({ dryRun: true });
    assert.deepEqual(told.flatMap(({ blocks }) => blocks).toSorted(), nic.blocks.toSorted());
    assert.equal((await it.ports()).length, 4);
    assert.equal((await controller.sweepOnce()).length, 2);
    assert.deepEqual(
      (await cloud.nics({ tags })).map(({ id, blocks }) => [id, blocks]),
      [[used.id, used.blocks]],
    );
    assert.equal((await it.ports()).length, 2);
  } finally {
    await controller.stop();
  }
});

test('two controllers with one token at the same instant have one NIC, with one set of blocks', async () => {
  await using it = await desk('bed');
  for (const want of [{}, { prefixes4: 1, addresses4: 1 }]) {
    const same = it.request({ want });
    const made = await Promise.all([1, 2, 3, 4].map(() => it.open().createNic(same)));
    const [first] = made;
    assert.ok(first !== undefined);
    assert.ok(
      made.every(({ id, mac }) => id === first.id && mac === first.mac),
      made.map(({ id }) => id).join(),
    );
    const [now] = await it.open().nics({ ids: [first.id] });
    assert.equal(now?.blocks.length, Object.keys(want).length);
    assert.equal((await it.ports()).length, 1 + Object.keys(want).length);
    await it.ground.clean();
  }
});

test('an Ethernet address that somebody else has already is no reason to make no NIC', async () => {
  await using it = await desk('bed');
  const { demo, network } = it.ground;
  const same = it.request();
  const { id, mac } = await it.open().createNic(same);
  await it.open().deleteNic(id);
  await make(demo, 'port', { network_id: network, mac_address: mac });
  const other = await it.open().createNic(same);
  assert.notEqual(other.mac, mac);
  assert.equal((await it.open().createNic(same)).id, other.id);
});

test('two who change one NIC at the same time both get what they asked for', async () => {
  await using it = await desk('bed');
  const [one, two] = [it.open(), it.open()];
  const { id } = await one.createNic(it.request());
  const given = await Promise.all([one.assign(id, { prefixes4: 1 }), two.assign(id, { prefixes4: 1 })]);
  const [a, b] = given.flat();
  assert.ok(a !== undefined && b !== undefined && given.flat().length === 2 && !overlaps(a, b), given.join());
  const [now] = await one.nics({ ids: [id] });
  assert.deepEqual(now?.blocks.toSorted(), given.flat().toSorted());
});

test('blocks that lie together are one address pair, and others keep theirs', async () => {
  await using it = await desk('bed');
  const { demo } = it.ground;
  const cloud = it.open();
  const { id } = await cloud.createNic(it.request());
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
  await using it = await desk('bed');
  const cloud = it.open();
  const { id } = await cloud.createNic(it.request({ multiMac: true }));
  const [block] = await cloud.assign(id, { prefixes4: 1 });
  assert.ok(block !== undefined);
  assert.deepEqual((await cloud.nics({ ids: [id] }))[0]?.blocks, [block]);
  await cloud.unassign(id, [block]);
  assert.equal((await it.ports()).length, 1);
});

test('more pairs than a NIC may have, by our count or by Neutron’s, and a quota that is used up leave nothing behind', async () => {
  await using it = await desk('bed');
  const { admin, demo } = it.ground;
  const [few, many] = [it.open({ pairsPerNic: 1 }), it.open({ pairsPerNic: 20 })];
  const { id } = await few.createNic(it.request());
  const apart = Array.from({ length: 11 }, (_, i) => parseCidr(`10.20.0.${64 + 2 * i}/32`));
  await assert.rejects(few.assign(id, { these: apart.slice(0, 2) }), kindIs('cloudLimit', /2 address pairs/));
  await assert.rejects(many.assign(id, { these: apart }), kindIs('cloudLimit', /AllowedAddressPairExhausted/));
  assert.equal((await it.ports()).length, 1);
  const quota = (ports: number) => admin.network('PUT', `/quotas/${demo.project}`, { quota: { port: ports } });
  try {
    await quota(1);
    await assert.rejects(many.createNic(it.request({ want: { prefixes4: 1 } })), kindIs('cloudQuota', /OverQuota/));
    await assert.rejects(many.assign(id, { prefixes4: 1 }), kindIs('cloudQuota', /OverQuota/));
  } finally {
    await quota(500);
  }
  assert.equal((await it.ports()).length, 1);
});

test('the node’s own interface can hold blocks, and keeps what it had', async () => {
  await using it = await desk('bed');
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

test('addresses that somebody else put on the node’s own interface stay there, and are none of a Pod’s', async () => {
  await using it = await desk('bed');
  const { demo, instance } = it.ground;
  const [cloud, counting] = [it.open(), it.open({ addressing: () => 'fixed-ips' })];
  const [first] = await cloud.nics({ instance });
  assert.ok(first !== undefined);
  const { fixed_ips: had, tags: words } = await portNow(demo, first.id);
  const addresses = async (): Promise<string[]> =>
    (await portNow(demo, first.id)).fixed_ips.map((one: { ip_address: string }) => one.ip_address).toSorted();
  const fixed_ips = [...had, ...had.map(({ subnet_id }: { subnet_id: string }) => ({ subnet_id }))];
  try {
    // As a port is to which nothing of ours ever came.
    assert.equal((await demo.network('PUT', `/ports/${first.id}/tags`, { tags: [] })).status, 200);
    assert.equal((await demo.network('PUT', `/ports/${first.id}`, { port: { fixed_ips } })).status, 200);
    const theirs = await addresses();
    const these = [parseCidr('2001:db8:20::99/128')];
    await cloud.assign(first.id, { these });
    const [counted] = await counting.assign(first.id, { addresses4: 1 });
    assert.ok(counted !== undefined);
    assert.deepEqual(await addresses(), [...theirs, '2001:db8:20::99', firstOf(counted)].toSorted());
    assert.deepEqual((await cloud.nics({ instance }))[0]?.blocks.toSorted(), [counted, ...these].toSorted());
    await cloud.unassign(first.id, these);
    await counting.unassign(first.id, [counted]);
    assert.deepEqual(await addresses(), theirs);
  } finally {
    await demo.network('PUT', `/ports/${first.id}`, { port: { fixed_ips: had } });
    await demo.network('PUT', `/ports/${first.id}/tags`, { tags: words });
  }
});
