/** A network with 10 000 ports in a real Neutron, half of them of others: they are written into its database, since to ask it for them takes an hour. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import type { CreateNic, NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { type OpenStackCloud, openStackCloud } from '../../src/cloud/openstack/openstack.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { ipFromBigInt, ipToBigInt } from '../../src/net/address.ts';
import { type Cidr, cidrOf, firstOf, parseCidr } from '../../src/net/cidr.ts';
import { make, portNow, removeNetworks } from './client.ts';
import { type DriverGround, sharedGround } from './driver-ground.ts';
import { type LossyProxy, lossyProxy } from './driver-proxy.ts';

const OURS = 5000;
const OTHERS = 5000;
/** What the ids of the written ports begin with: Neutron gives ids at random. */
const MARK = '77777777-0000-4000-8000-';
const tables = ['ipallocations', 'portsecuritybindings', 'ml2_port_bindings'] as const;

/** The n-th port's id. */
const idOf = (n: number): string => MARK + n.toString(16).padStart(12, '0');
/** Of 10.96.0.0/16, from 10.96.16.0 on. */
const addressOf = (n: number): string => `10.96.${16 + (n >> 8)}.${n & 255}`;

/** As Neutron itself stores a port: the template's rows once more for each, with an id, an Ethernet address, an address and a name of its own. */
function written(database: DatabaseSync, template: string, subnet: string): void {
  const of = <T>(statement: string, ...values: string[]): T => database.prepare(statement).get(...values) as T; // rows as the statement names them
  const { standard_attr_id: attribute } = of<{ standard_attr_id: number }>('SELECT standard_attr_id FROM ports WHERE id = ?', template);
  const { last } = of<{ last: number }>('SELECT max(id) AS last FROM standardattributes');
  const { id: ipam } = of<{ id: string }>('SELECT id FROM ipamsubnets WHERE neutron_subnet_id = ?', subnet);
  const run = (statement: string, ...values: (string | number)[]): void => void database.prepare(statement).run(...values);
  for (let n = 1; n <= OURS + OTHERS; n++) {
    const [id, isOurs] = [idOf(n), n <= OURS];
    const mac = `fa:77:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`;
    run(
      'INSERT INTO standardattributes SELECT ?, resource_type, ?, revision_number, created_at, updated_at FROM standardattributes WHERE id = ?',
      last + n,
      'Schnittstelle für 🐙',
      attribute,
    );
    run(
      'INSERT INTO ports (project_id, id, name, network_id, mac_address, admin_state_up, status, device_id, device_owner, ip_allocation, standard_attr_id) ' +
        'SELECT project_id, ?, ?, network_id, ?, admin_state_up, status, device_id, ?, ip_allocation, ? FROM ports WHERE id = ?',
      id,
      `Grüße № ${n} 🐙`,
      mac,
      isOurs ? 'flatpod:nic' : 'other:thing',
      last + n,
      template,
    );
    run('INSERT INTO ipallocations SELECT ?, ?, subnet_id, network_id FROM ipallocations WHERE port_id = ?', id, addressOf(n), template);
    run("INSERT INTO ipamallocations VALUES (?, 'ALLOCATED', ?)", addressOf(n), ipam);
    run('INSERT INTO portsecuritybindings SELECT ?, port_security_enabled FROM portsecuritybindings WHERE port_id = ?', id, template);
    run(
      'INSERT INTO ml2_port_bindings SELECT ?, host, vnic_type, profile, vif_type, vif_details, status FROM ml2_port_bindings WHERE port_id = ?',
      id,
      template,
    );
    if (!isOurs) continue;
    run("INSERT INTO tags SELECT ?, tag FROM tags WHERE standard_attr_id = ? AND tag NOT LIKE 'fp:key=%'", last + n, attribute);
    run('INSERT INTO tags VALUES (?, ?)', last + n, `fp:key=${n.toString(16).padStart(32, '0')}`);
  }
}

function erased(database: DatabaseSync): void {
  const mine = `${MARK}%`;
  const attributes = 'SELECT standard_attr_id FROM ports WHERE id LIKE ?';
  const gone = (database.prepare(attributes).all(mine) as { standard_attr_id: number }[]).map((row) => row.standard_attr_id); // rows of that statement
  database.prepare(`DELETE FROM tags WHERE standard_attr_id IN (${attributes})`).run(mine);
  database.prepare('DELETE FROM ipamallocations WHERE ip_address IN (SELECT ip_address FROM ipallocations WHERE port_id LIKE ?)').run(mine);
  for (const table of tables) database.prepare(`DELETE FROM ${table} WHERE port_id LIKE ?`).run(mine);
  database.prepare('DELETE FROM ports WHERE id LIKE ?').run(mine);
  const [first, last] = [gone.at(0) ?? 0, gone.at(-1) ?? -1];
  database.prepare('DELETE FROM standardattributes WHERE id BETWEEN ? AND ?').run(Math.min(first, last), Math.max(first, last));
}

function within(database: DatabaseSync, body: () => void): void {
  database.exec('PRAGMA busy_timeout = 30000; BEGIN IMMEDIATE');
  body();
  database.exec('COMMIT');
}

/** The network `many` with its ports, a NIC of the driver's that they are modelled on, and a proxy that counts. */
interface Many extends AsyncDisposable {
  readonly ground: DriverGround;
  readonly proxy: LossyProxy;
  readonly cloud: OpenStackCloud;
  readonly subnet: SubnetId;
  readonly nic: NicId;
}

const tags = { 'flatpod.dev/cluster': 'vièle 🐙' };
const requestIn = (subnet: SubnetId, token: string): CreateNic => ({
  subnet,
  securityGroups: [],
  description: 'Schnittstelle für 🐙',
  tags,
  clientToken: `many-${token}-${Date.now()}`,
});

async function many(): Promise<Many> {
  await using open = new AsyncDisposableStack();
  const ground = await sharedGround();
  const proxy = open.use(await lossyProxy(ground.bed.authUrl));
  const database = open.use(new DatabaseSync(join(ground.bed.state, 'db/neutron.db')));
  const variables = { ...ground.bed.environment('demo'), OS_AUTH_URL: proxy.authUrl };
  const cloud = open.use(openStackCloud({ credentials: { variables }, deadline_ms: 300_000 }));
  const net = (await make(ground.demo, 'network', { name: 'many' })).id as string;
  open.defer(() => removeNetworks(ground.demo, [net]));
  const subnet = (await make(ground.demo, 'subnet', { network_id: net, ip_version: 4, cidr: '10.96.0.0/16', enable_dhcp: false }))
    .id as SubnetId;
  const quota = `/quotas/${ground.demo.project}`;
  open.defer(async () => void (await ground.admin.network('DELETE', quota)));
  assert.equal((await ground.admin.network('PUT', quota, { quota: { port: 2 * (OURS + OTHERS) } })).status, 200);
  // Another driver: to write blocks this process for longer than servers keep idle connections.
  using earlier = openStackCloud({ credentials: { variables: ground.bed.environment('demo') }, deadline_ms: 120_000 });
  const { id: nic } = await earlier.createNic(requestIn(subnet, 'first'));
  open.defer(() => within(database, () => erased(database)));
  within(database, () => written(database, nic, subnet));
  const kept = open.move();
  return { ground, proxy, cloud, subnet, nic, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

test('of 10 000 ports ours are told, each once, by pages, with few requests and little memory; an assign lists them once', async (t) => {
  await using it = await many();
  const { proxy, cloud, nic } = it;
  proxy.plan();
  const before = process.memoryUsage().heapUsed;
  const found = await cloud.nics({ tags });
  const grown_MiB = Math.round((process.memoryUsage().heapUsed - before) / 2 ** 20);
  t.diagnostic(`${found.length} NICs in ${proxy.reads} requests, ${grown_MiB} MiB more`);
  assert.deepEqual(new Set(found.map(({ id }) => id)), new Set([nic, ...Array.from({ length: OURS }, (_, i) => idOf(i + 1))]));
  assert.equal(found.length, OURS + 1);
  assert.ok(found.every(({ tags: has }) => has['flatpod.dev/cluster'] === tags['flatpod.dev/cluster']));
  // A login, six pages, and the network's MTU.
  assert.ok(proxy.reads <= 8, String(proxy.reads));
  assert.ok(grown_MiB < 256, String(grown_MiB));
  assert.deepEqual(await cloud.nics({ ids: [idOf(OURS + 1) as NicId, idOf(7) as NicId], tags }), [found.find(({ id }) => id === idOf(7))]);
  await t.test('of NICs that get blocks at the same time one lists the subnet, and none of them gets what another has', () =>
    together(it, t),
  );
  await t.test('what others took since the list is seen, and not refused', () => taken(it));
  await t.test('by value what is free is given, again too, and what is not is refused with its holder', () => byValue(it));
});

/** The reads of an assign where nothing is listed: the NIC, its reservations, the subnet. */
const READS = 3;
/** Of 10 001 ports and more. */
const PAGES = 11;

async function together({ ground, proxy, cloud, subnet, nic }: Many, t: TestContext): Promise<void> {
  const others: NicId[] = [];
  for (const token of ['a', 'b', 'c']) others.push((await cloud.createNic(requestIn(subnet, token))).id);
  proxy.plan();
  const begun_ms = performance.now();
  const given = (await Promise.all([nic, ...others].map((id) => cloud.assign(id, { prefixes4: 2 })))).flat();
  t.diagnostic(`4 assigns in ${proxy.reads} requests and ${Math.round(performance.now() - begun_ms)} ms`);
  assert.ok(proxy.reads <= 4 * READS + PAGES, String(proxy.reads));
  assert.equal(new Set(given).size, 8);
  assert.equal(proxy.changes.filter((one) => one === 'POST /v2.0/ports').length, 4, 'no choice was refused');
  const [first] = given;
  assert.ok(first !== undefined);
  const reserved = (
    await ground.demo.network('GET', `/ports?network_id=${await networkOf(ground, nic)}&fixed_ips=ip_address=${firstOf(first)}`)
  ).body;
  assert.deepEqual(
    reserved.ports.map(({ fixed_ips }: { fixed_ips: object[] }) => fixed_ips.length),
    [16],
  );
}

async function networkOf({ demo }: DriverGround, port: string): Promise<string> {
  return (await portNow(demo, port)).network_id;
}

/** The other half of the /27 that the block is in: the next choice, since NICs get blocks beside those they have. */
function beside(block: Cidr): Cidr {
  return cidrOf(ipFromBigInt(ipToBigInt(firstOf(block)) ^ 16n, 4), 28);
}

async function taken({ ground, proxy, cloud, nic, subnet }: Many): Promise<void> {
  const network_id = await networkOf(ground, nic);
  const [one] = await cloud.assign(nic, { prefixes4: 1 });
  assert.ok(one !== undefined);
  const next = beside(one);
  const isFree =
    (await ground.demo.network('GET', `/ports?network_id=${network_id}&fixed_ips=ip_address=${firstOf(next)}`)).body.ports.length === 0;
  assert.ok(isFree, `${next} is what would be chosen`);
  const { id } = await make(ground.demo, 'port', { network_id, fixed_ips: [{ subnet_id: subnet, ip_address: firstOf(next) }] });
  proxy.plan();
  const [other] = await cloud.assign(nic, { prefixes4: 1 });
  assert.ok(other !== undefined && other !== next);
  // Refused once, by Neutron, unless the list was old enough to be read again.
  assert.ok(proxy.changes.filter((change) => change === 'POST /v2.0/ports').length <= 2);
  assert.ok(proxy.reads <= 2 * READS + PAGES, String(proxy.reads));
  assert.equal((await ground.demo.network('DELETE', `/ports/${id}`)).status, 204);
}

async function byValue({ proxy, cloud, nic }: Many): Promise<void> {
  const free = parseCidr('10.96.200.16/28');
  assert.deepEqual(await cloud.assign(nic, { these: [free] }), [free]);
  const theirs = OURS + 3;
  proxy.plan();
  const wanted = cloud.assign(nic, { these: [parseCidr(`${addressOf(theirs)}/32`)] });
  await assert.rejects(wanted, (error) => isFailure(error, 'cloudInvalid') && error.details.includes(idOf(theirs)));
  assert.deepEqual(proxy.changes, []);
  await cloud.unassign(nic, [free]);
  assert.deepEqual(await cloud.assign(nic, { these: [free] }), [free]);
}
