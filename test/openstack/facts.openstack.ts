/** What the driver relies on, asked of the servers themselves. A fact that changes with a release of OpenStack fails here, with its name. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../life/lab.ts';
import { type OpenStackBed, openStackBed } from './bed.ts';
import { type Answer, as, ask, attach, endServer, launch, logIn, make, portNow, removeNetworks, type Session } from './client.ts';

let bed: OpenStackBed;
let admin: Session;
let demo: Session;

interface Ground extends AsyncDisposable {
  readonly id: string;
  readonly subnet: string;
}

/** A network with one subnet, for one test. Networks may have the same addresses. Neutron gives one of the first 1000 at random: tests name later ones. */
async function ground(who: Session, cidr = '10.10.0.0/16', more: object = {}): Promise<Ground> {
  const { id } = await make(who, 'network', more);
  const subnet = await make(who, 'subnet', { network_id: id, ip_version: 4, cidr, enable_dhcp: false });
  return { id, subnet: subnet.id, [Symbol.asyncDispose]: () => removeNetworks(admin, [id]) };
}

const put = (who: Session, id: string, port: object, headers?: Record<string, string>): Promise<Answer> =>
  who.network('PUT', `/ports/${id}`, { port }, headers);
const refused = (answer: Answer, status: number, type: string): void => assert.deepEqual([answer.status, answer.type], [status, type]);
const addresses = (port: { fixed_ips: { ip_address: string }[] }): string[] =>
  port.fixed_ips.map(({ ip_address }) => ip_address).toSorted();

// A suite, so that the bed is there for these tests alone: hooks of a file would run before the first test of all files.
describe('facts about OpenStack', () => {
  before(async () => {
    bed = await openStackBed();
    [admin, demo] = [await as(bed, 'admin'), await as(bed, 'demo')];
  });
  after(async () => bed?.[Symbol.asyncDispose]());

  test('an application credential brings its own scope; a wrong password and an unknown token are 401', async (t) => {
    const path = `/users/${demo.user}/application_credentials`;
    const made = await demo.identity('POST', path, { application_credential: { name: 'facts' } });
    const { id, secret } = made.body.application_credential;
    t.after(() => demo.identity('DELETE', `${path}/${id}`));
    const session = await logIn(bed, { identity: { methods: ['application_credential'], application_credential: { id, secret } } });
    assert.equal(session.project, demo.project);
    const user = { name: 'demo', domain: { name: 'Default' }, password: 'wrong' };
    const scope = { project: { name: 'demo', domain: { name: 'Default' } } };
    const answer = await ask(`${bed.authUrl}/auth/tokens`, 'POST', {
      auth: { identity: { methods: ['password'], password: { user } }, scope },
    });
    assert.equal(answer.status, 401);
    assert.equal((await ask(`${admin.url('network')}/v2.0/ports`, 'GET', undefined, { 'x-auth-token': 'unknown' })).status, 401);
  });

  test('the catalogue names Neutron without a version and Nova with one', () => {
    assert.match(admin.url('network') ?? '', /^http:\/\/127\.0\.0\.1:\d+\/?$/);
    assert.match(admin.url('compute') ?? '', /\/v2\.1$/);
  });

  test('fixed_ips of an update replace the list; an entry with a subnet alone keeps an address before it takes a new one', async () => {
    await using net = await ground(admin);
    const port = await make(admin, 'port', { network_id: net.id });
    const [first] = addresses(port);
    const one = { subnet_id: net.subnet };
    const more = await put(admin, port.id, { fixed_ips: [{ ip_address: first }, one, { ip_address: '10.10.9.9' }] });
    assert.equal(more.body.port.fixed_ips.length, 3);
    const again = await put(admin, port.id, { fixed_ips: [{ ip_address: first }, one, { ip_address: '10.10.9.9' }] });
    assert.deepEqual(addresses(again.body.port), addresses(more.body.port));
    assert.equal(again.body.port.revision_number, more.body.port.revision_number);
    const less = await put(admin, port.id, { fixed_ips: [{ ip_address: '10.10.9.9' }] });
    assert.deepEqual(addresses(less.body.port), ['10.10.9.9']);
  });

  test('two that add an address to what they read lose one of them, and both hear 200; If-Match refuses the second', async () => {
    await using net = await ground(admin);
    const port = await make(admin, 'port', { network_id: net.id });
    const add = (ip_address: string, headers = {}): Promise<Answer> =>
      put(admin, port.id, { fixed_ips: [...port.fixed_ips.map((one: object) => one), { ip_address }] }, headers);
    assert.deepEqual([(await add('10.10.8.1')).status, (await add('10.10.8.2')).status], [200, 200]);
    const now = await portNow(admin, port.id);
    assert.ok(!addresses(now).includes('10.10.8.1'));
    const revision = { 'if-match': `revision_number=${now.revision_number}` };
    assert.equal((await add('10.10.8.3', revision)).status, 200);
    refused(await add('10.10.8.4', revision), 412, 'RevisionNumberConstraintFailed');
    refused(await admin.network('DELETE', `/ports/${port.id}`, undefined, revision), 412, 'RevisionNumberConstraintFailed');
  });

  test('If-Match is not looked at by every update that changes nothing', async () => {
    await using net = await ground(admin);
    const port = await make(admin, 'port', { network_id: net.id });
    await put(admin, port.id, { name: 'changed' });
    const now = await portNow(admin, port.id);
    const stale = { 'if-match': 'revision_number=1' };
    refused(await put(admin, port.id, { name: now.name }, stale), 412, 'RevisionNumberConstraintFailed');
    for (const field of ['fixed_ips', 'allowed_address_pairs', 'security_groups']) {
      assert.equal((await put(admin, port.id, { [field]: now[field] }, stale)).status, 200, field);
    }
  });

  test('a CIDR is one address pair, with the MAC of the port; more than the limit are refused; none goes without port security', async () => {
    await using net = await ground(admin);
    const port = await make(admin, 'port', { network_id: net.id });
    const pairs = (...blocks: string[]): Promise<Answer> =>
      put(admin, port.id, { allowed_address_pairs: blocks.map((ip_address) => ({ ip_address })) });
    const { allowed_address_pairs } = (await pairs('10.10.16.0/20')).body.port;
    assert.deepEqual(allowed_address_pairs, [{ ip_address: '10.10.16.0/20', mac_address: port.mac_address }]);
    refused(await pairs(...Array.from({ length: 11 }, (_, i) => `10.10.6.${i}`)), 400, 'AllowedAddressPairExhausted');
    assert.equal((await pairs()).status, 200);
    assert.equal((await put(admin, port.id, { port_security_enabled: false, security_groups: [] })).status, 200);
    refused(await pairs('10.10.6.1'), 409, 'AddressPairAndPortSecurityRequired');
  });

  test('pairs reserve nothing: Neutron gives an address in one to the next port', async () => {
    await using net = await ground(admin);
    const port = await make(admin, 'port', { network_id: net.id });
    await put(admin, port.id, { allowed_address_pairs: [{ ip_address: '10.10.0.0/16' }] });
    await make(admin, 'port', { network_id: net.id, fixed_ips: [{ ip_address: '10.10.7.7' }] });
  });

  test('refusals have types: taken, outside, MAC taken, subnet empty, quota', async (t) => {
    await using net = await ground(admin);
    await using small = await ground(demo, '10.50.0.0/29');
    const port = await make(admin, 'port', { network_id: net.id, fixed_ips: [{ ip_address: '10.10.9.9' }] });
    const create = (who: Session, fields: object): Promise<Answer> => who.network('POST', '/ports', { port: fields });
    refused(await create(admin, { network_id: net.id, fixed_ips: [{ ip_address: '10.10.9.9' }] }), 409, 'IpAddressAlreadyAllocated');
    refused(await create(admin, { network_id: net.id, fixed_ips: [{ ip_address: '10.99.9.9' }] }), 400, 'InvalidIpForNetwork');
    refused(await create(admin, { network_id: net.id, mac_address: port.mac_address }), 409, 'MacAddressInUse');
    for (let i = 0; i < 5; i++) await make(demo, 'port', { network_id: small.id });
    refused(await create(demo, { network_id: small.id }), 409, 'IpAddressGenerationFailure');
    const quota = `/quotas/${demo.project}`;
    const { used } = (await admin.network('GET', `${quota}/details.json`)).body.quota.port;
    t.after(() => admin.network('DELETE', quota));
    await admin.network('PUT', quota, { quota: { port: used } });
    refused(await create(demo, { network_id: small.id }), 409, 'OverQuota');
  });

  test('a bulk create is all or nothing, and keeps tags', async () => {
    await using net = await ground(admin);
    const bulk = (ports: object[]): Promise<Answer> =>
      admin.network('POST', '/ports', { ports: ports.map((port) => ({ network_id: net.id, ...port })) });
    const made = await bulk([{ tags: ['a', 'b'] }, { tags: ['a'] }, {}]);
    assert.equal(made.status, 201);
    refused(await bulk([{ name: 'half' }, { mac_address: made.body.ports[0].mac_address }]), 409, 'MacAddressInUse');
    assert.equal((await admin.network('GET', `/ports?network_id=${net.id}&name=half`)).body.ports.length, 0);
    const found = async (query: string): Promise<number> =>
      (await admin.network('GET', `/ports?network_id=${net.id}&${query}&fields=id`)).body.ports.length;
    assert.deepEqual(
      [await found('tags=a'), await found('tags=a,b'), await found('tags-any=b,c'), await found('not-tags=a')],
      [2, 1, 1, 1],
    );
    const aliases = (await admin.network('GET', '/extensions')).body.extensions.map(({ alias }: { alias: string }) => alias);
    assert.ok(aliases.includes('tag-ports-during-bulk-creation'));
  });

  test('a change of tags moves the revision', async () => {
    await using net = await ground(admin);
    const port = await make(admin, 'port', { network_id: net.id });
    assert.equal((await admin.network('PUT', `/ports/${port.id}/tags`, { tags: ['x'] })).status, 200);
    assert.ok((await portNow(admin, port.id)).revision_number > port.revision_number);
  });

  test('a list comes in pages when it is asked for in pages, and says where the next is', async () => {
    await using net = await ground(admin);
    await admin.network('POST', '/ports', { ports: [1, 2, 3, 4, 5].map(() => ({ network_id: net.id })) });
    const seen: string[] = [];
    let path = `/ports?network_id=${net.id}&fields=id&limit=2`;
    for (let pages = 0; pages < 5; pages++) {
      const { ports, ports_links = [] } = (await admin.network('GET', path)).body;
      seen.push(...ports.map(({ id }: { id: string }) => id));
      const next = ports_links.find(({ rel }: { rel: string }) => rel === 'next');
      if (next === undefined) break;
      path = new URL(next.href).pathname.replace('/v2.0', '') + new URL(next.href).search;
    }
    assert.equal(new Set(seen).size, 5);
    assert.equal(seen.length, 5);
  });

  test('in a network of somebody else a member may make ports, and neither choose an address nor change addresses, pairs or port security', async () => {
    await using net = await ground(admin, '10.40.0.0/24', { shared: true });
    const port = await make(demo, 'port', { network_id: net.id, fixed_ips: [{ subnet_id: net.subnet }] });
    refused(
      await demo.network('POST', '/ports', { port: { network_id: net.id, fixed_ips: [{ ip_address: '10.40.0.77' }] } }),
      403,
      'PolicyNotAuthorized',
    );
    for (const change of [
      { fixed_ips: [...port.fixed_ips, { subnet_id: net.subnet }] },
      { allowed_address_pairs: [{ ip_address: '10.9.0.0/24' }] },
      { port_security_enabled: false, security_groups: [] },
      { 'binding:host_id': 'somewhere' },
    ]) {
      refused(await put(demo, port.id, change), 403, 'PolicyNotAuthorized');
    }
    assert.ok(!Object.keys(await portNow(demo, port.id)).some((field) => field.startsWith('binding:host')), 'nor see where it is bound');
  });

  test('Nova takes a port for its own at attach, answers 202 to a detach that happens later, and leaves a port that was made before', async (t) => {
    await using net = await ground(admin);
    const first = await make(admin, 'port', { network_id: net.id });
    const server = await launch(admin, 'facts', [first.id]);
    t.after(() => endServer(admin, server));
    const nic = await make(admin, 'port', { network_id: net.id, device_owner: 'flatpod:nic', tags: ['ours'] });
    await attach(admin, server, nic.id);
    const attached = await portNow(admin, nic.id);
    assert.deepEqual([attached.device_id, attached.device_owner, attached.tags], [server, 'compute:nova', ['ours']]);
    const path = `/servers/${server}/os-interface`;
    assert.ok(
      [400, 409].includes((await admin.compute('POST', path, { interfaceAttachment: { port_id: nic.id } })).status),
      'it is in use',
    );
    assert.equal((await admin.compute('DELETE', `${path}/${nic.id}`)).status, 202);
    await eventually('it is detached', async () => (await portNow(admin, nic.id)).device_id === '', 60);
    const detached = await portNow(admin, nic.id);
    assert.deepEqual([detached.device_owner, detached.status, detached.tags], ['', 'DOWN', ['ours']]);
    await endServer(admin, server);
    await eventually('the server lets go of its first port', async () => (await portNow(admin, first.id)).device_id === '', 60);
  });

  test('status ACTIVE comes later than the attachment where it is told to', async (t) => {
    await using net = await ground(admin);
    bed.setActiveDelay(2);
    t.after(() => bed.setActiveDelay(0));
    const port = await make(admin, 'port', { network_id: net.id, 'binding:host_id': 'bed', device_owner: 'compute:x', device_id: 'x' });
    assert.equal(port.status, 'DOWN');
    await eventually('it is active', async () => (await portNow(admin, port.id)).status === 'ACTIVE', 30);
  });

  test('a trunk is made before its server; subports come and go by VLAN, are bound where it is, and are let go before they are deleted', async (t) => {
    await using net = await ground(admin);
    const [parent, one, two] = [
      await make(admin, 'port', { network_id: net.id }),
      await make(admin, 'port', { network_id: net.id }),
      await make(admin, 'port', { network_id: net.id }),
    ];
    const sub = (port: { id: string }, vlan: number): object => ({ port_id: port.id, segmentation_type: 'vlan', segmentation_id: vlan });
    const trunk = await make(admin, 'trunk', { port_id: parent.id, sub_ports: [sub(one, 101)] });
    const server = await launch(admin, 'trunk', [parent.id]);
    t.after(() => endServer(admin, server));
    const bound = await portNow(admin, one.id);
    assert.deepEqual([bound.device_owner, bound['binding:host_id'], bound.device_id], ['trunk:subport', 'bed', '']);
    const change = (how: string, ...ports: object[]): Promise<Answer> =>
      admin.network('PUT', `/trunks/${trunk.id}/${how}_subports`, { sub_ports: ports });
    refused(await change('add', sub(two, 101)), 409, 'DuplicateSubPort');
    assert.equal((await change('add', sub(two, 102))).status, 200);
    refused(await admin.network('DELETE', `/ports/${two.id}`), 409, 'PortInUseAsSubPort');
    const { sub_ports } = (await portNow(admin, parent.id)).trunk_details;
    assert.deepEqual(
      sub_ports
        .map(({ segmentation_id, mac_address }: { segmentation_id: number; mac_address: string }) => [segmentation_id, mac_address])
        .toSorted(),
      [
        [101, one.mac_address],
        [102, two.mac_address],
      ],
    );
    assert.equal((await change('remove', { port_id: two.id })).status, 200);
    assert.equal((await admin.network('DELETE', `/ports/${two.id}`)).status, 204);
    const late = await make(admin, 'port', { network_id: net.id, 'binding:host_id': 'bed', device_owner: 'compute:x', device_id: 'x' });
    refused(await admin.network('POST', '/trunks', { trunk: { port_id: late.id } }), 409, 'ParentPortInUse');
  });

  test('a listener hears of a change before its caller has the answer; it can refuse a create, and nothing else', async (t) => {
    await using net = await ground(admin);
    const heard: { kind: string; what: string; now: { id: string } }[] = [];
    let status = 204;
    const server = createServer((request, response) => {
      let text = '';
      request.on('data', (part: Buffer) => (text += part.toString()));
      request.on('end', () => {
        heard.push(JSON.parse(text));
        response.writeHead(status).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const at = server.address();
    assert.ok(at !== null && typeof at === 'object');
    bed.setHook(`http://127.0.0.1:${at.port}/`);
    t.after(() => bed.setHook(undefined));
    const port = await make(admin, 'port', { network_id: net.id });
    assert.deepEqual(
      heard.map(({ kind, what, now }) => [kind, what, now.id]),
      [['port', 'create', port.id]],
    );
    status = 500;
    assert.equal((await admin.network('POST', '/ports', { port: { network_id: net.id, name: 'refused' } })).status, 500);
    assert.equal((await admin.network('GET', `/ports?network_id=${net.id}&name=refused`)).body.ports.length, 0);
    assert.equal((await put(admin, port.id, { name: 'stands' })).status, 200);
    assert.equal((await portNow(admin, port.id)).name, 'stands');
  });
});
