/** Services of type LoadBalancer on a real Octavia: what is made, changed and given back, by its own word. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openStackCloud } from '../../src/cloud/openstack/openstack.ts';
import { type LeftSightings, sweepLoadBalancers } from '../../src/controller/services/sweep.ts';
import { createLog } from '../../src/log.ts';
import { virtualClock } from '../cloud/virtual-clock.ts';
import { raw, scriptedServer } from '../cloud/scripted-server.ts';
import { eventually } from '../life/lab.ts';
import { ServiceApi } from '../controller/service-api.ts';
import { reader } from './accounts.ts';
import { as } from './client.ts';
import { type LossyProxy, lossyProxy } from './driver-proxy.ts';
import { addressOf, type OctaviaGround, octaviaGround, readyOf, serve } from './octavia-ground.ts';

const LIMIT_s = 120;

let ground: OctaviaGround;

// The parsed JSON of Octavia, whose shape the assertions tell.
// oxlint-disable-next-line typescript/no-explicit-any
type Made = any;

async function all(what: string): Promise<Made[]> {
  const answer = await ground.balancers('GET', `/${what}`);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body[what.replace(/^.*\//, '')];
}

const byName = (rows: readonly Made[][]): Made[][] => rows.toSorted(([a], [b]) => (a < b ? -1 : 1));

/** `ADDRESS:PORT` of each member of that pool, sorted. */
async function members(pool: string): Promise<string[]> {
  const found = (await all('pools')).find(({ name }) => name === pool);
  if (found === undefined) return [];
  return (await all(`pools/${found.id}/members`)).map(({ address, protocol_port }) => `${address}:${protocol_port}`).toSorted();
}

const isGone = (services: ServiceApi, name: string): Promise<boolean> =>
  eventually('the Service is gone', () => Promise.resolve(services.find(name) === undefined), LIMIT_s);
const condition = (services: ServiceApi, words: RegExp): Promise<boolean> =>
  eventually(`the condition says ${words}`, () => Promise.resolve(words.test(readyOf(services.find('web'))?.message ?? '')), LIMIT_s);
const memberChanges = ({ changes }: LossyProxy): string[] => changes.filter((one) => one.endsWith('/members'));

// A suite, so that the bed is there for these tests alone: hooks of a file would run before the first test of all files.
describe('Octavia', () => {
  before(async () => {
    ground = await octaviaGround();
  });
  after(async () => ground?.[Symbol.asyncDispose]());

  test('a Service gets a load balancer in one request, with a listener for each port and its Pods as members, and takes it along when it is deleted', async () => {
    await using proxy = await lossyProxy(ground.bed.authUrl);
    const services = new ServiceApi();
    const ports = [
      { name: 'web', protocol: 'TCP', port: 80 },
      { name: 'dns', protocol: 'UDP', port: 53 },
      { name: 'tel', protocol: 'SCTP', port: 3868 },
    ];
    const sourceRanges = { loadBalancerSourceRanges: ['198.51.100.0/24'], sessionAffinity: 'ClientIP' };
    services.service('web', { ports, ...sourceRanges, sessionAffinityConfig: { clientIP: { timeoutSeconds: 90 } } });
    const targets = [8080, 5353, 3868].map((port, i) => ({ ...ports[i], port }));
    services.endpoints('web', ['10.20.0.10', '10.20.0.11', { address: '10.20.0.12', conditions: { ready: false } }], targets);
    await using _serving = serve(ground, services, { authUrl: proxy.authUrl });
    const address = await addressOf(services, 'web');
    assert.deepEqual(proxy.changes, ['POST /v2.0/lbaas/loadbalancers']);
    const [balancer] = await all('loadbalancers');
    assert.deepEqual([balancer.vip_address, balancer.name], [address, 'test/shop/web']);
    const shown = (await all('listeners')).map(({ name, protocol, protocol_port, allowed_cidrs }) => [
      name,
      protocol,
      protocol_port,
      allowed_cidrs,
    ]);
    assert.deepEqual(byName(shown), [
      ['sctp-3868', 'SCTP', 3868, ['198.51.100.0/24']],
      ['tcp-80', 'TCP', 80, ['198.51.100.0/24']],
      ['udp-53', 'UDP', 53, ['198.51.100.0/24']],
    ]);
    assert.deepEqual(await members('tcp-80'), ['10.20.0.10:8080', '10.20.0.11:8080']);
    assert.deepEqual(await members('udp-53'), ['10.20.0.10:5353', '10.20.0.11:5353']);
    const persistence = (await all('pools')).map(({ name, session_persistence: one }) => [name, one.type, one.persistence_timeout]);
    assert.deepEqual(byName(persistence), [
      ['sctp-3868', 'SOURCE_IP', 90],
      ['tcp-80', 'SOURCE_IP', null],
      ['udp-53', 'SOURCE_IP', 90],
    ]);
    assert.deepEqual(new Set((await all('healthmonitors')).map(({ type }) => type)), new Set(['SCTP', 'TCP', 'UDP-CONNECT']));
    assert.deepEqual(services.find('web')?.metadata.finalizers, ['flatpod.dev/load-balancer']);
    assert.equal(readyOf(services.find('web'))?.status, 'True');
    services.delete('web');
    await isGone(services, 'web');
    assert.deepEqual(await ground.left(), []);
  });

  test('a burst of changes of endpoints is one request, and ports, clients and affinity follow the Service', async () => {
    await using proxy = await lossyProxy(ground.bed.authUrl);
    const services = new ServiceApi();
    services.service('web');
    services.endpoints('web', ['10.20.0.10']);
    await using serving = serve(ground, services, { authUrl: proxy.authUrl });
    await addressOf(services, 'web');
    proxy.plan();
    for (let last = 20; last < 40; last++) services.endpoints('web', ['10.20.0.10', `10.20.0.${last}`]);
    await eventually('the last Pod is a member', async () => (await members('tcp-80')).includes('10.20.0.39:8080'), LIMIT_s);
    assert.deepEqual([memberChanges(proxy).length, await members('tcp-80')], [1, ['10.20.0.10:8080', '10.20.0.39:8080']]);
    services.endpoints('web', [], []);
    await eventually('no Pod is a member', async () => (await members('tcp-80')).length === 0, LIMIT_s);
    services.endpoints(
      'web',
      ['10.20.0.10'],
      [
        { name: 'web', protocol: 'TCP', port: 8080 },
        { name: 'tls', protocol: 'TCP', port: 8443 },
      ],
    );
    const ports = [{ name: 'tls', protocol: 'TCP', port: 443 }];
    services.service('web', { ports, loadBalancerSourceRanges: ['192.0.2.0/24'], sessionAffinity: 'ClientIP' });
    await eventually('the ports are others', async () => (await all('listeners')).map(({ name }) => name).join() === 'tcp-443', LIMIT_s);
    await eventually('the old pool is gone', async () => (await all('pools')).length === 1, LIMIT_s);
    assert.deepEqual(await members('tcp-443'), ['10.20.0.10:8443']);
    assert.deepEqual(
      (await all('listeners')).map(({ allowed_cidrs }) => allowed_cidrs),
      [['192.0.2.0/24']],
    );
    services.service('web', { ports });
    const isOpen = async (): Promise<boolean> =>
      (await all('listeners'))[0].allowed_cidrs === null && (await all('pools'))[0].session_persistence === null;
    await eventually('everybody may connect, to any Pod', isOpen, LIMIT_s);
    assert.deepEqual(
      serving.said.filter((one) => one.startsWith('Warning')),
      [],
    );
    services.service('web', { type: 'ClusterIP', loadBalancerClass: undefined, ports });
    await eventually('it is a Service without a load balancer', () => services.find('web')?.metadata.finalizers?.length === 0, LIMIT_s);
    assert.deepEqual([services.find('web')?.status, await ground.left()], [{}, []]);
  });

  test('a floating IP comes and goes with the load balancer, by choice of address, and an internal Service has none', async () => {
    const services = new ServiceApi();
    services.service('web');
    services.endpoints('web', ['10.20.0.10']);
    await using _serving = serve(ground, services, { floating: true });
    assert.match(await addressOf(services, 'web'), /^203\.0\.113\./);
    services.service('inner', {}, { 'flatpod.dev/load-balancer-internal': 'true', 'flatpod.dev/load-balancer-address': '10.20.0.200' });
    assert.equal(await addressOf(services, 'inner'), '10.20.0.200');
    services.service('web', {}, { 'flatpod.dev/load-balancer-internal': 'true' });
    await eventually(
      'it is internal',
      () => services.find('web')?.status?.loadBalancer?.ingress?.[0]?.ip.startsWith('10.20.0.') === true,
      LIMIT_s,
    );
    assert.deepEqual((await ground.demo.network('GET', '/floatingips')).body.floatingips, []);
    const theirs = await ground.demo.network('POST', '/floatingips', { floatingip: { floating_network_id: ground.outside } });
    const { id, floating_ip_address: address } = theirs.body.floatingip;
    services.service('web', { loadBalancerIP: address });
    await eventually(
      'it has the address that was there',
      () => services.find('web')?.status?.loadBalancer?.ingress?.[0]?.ip === address,
      LIMIT_s,
    );
    for (const name of ['web', 'inner']) services.delete(name);
    for (const name of ['web', 'inner']) await isGone(services, name);
    assert.deepEqual(await ground.left(), [address], 'what somebody else made stays theirs');
    await ground.demo.network('DELETE', `/floatingips/${id}`);
  });

  for (const what of ['request', 'answer'] as const)
    test(`whichever changing request loses its ${what}, nothing is there twice and nothing is left`, async () => {
      await using proxy = await lossyProxy(ground.bed.authUrl);
      for (let nth = 1; ; nth++) {
        proxy.plan({ nth, what });
        await lifetime(proxy.authUrl);
        if (!proxy.lost) return assert.ok(nth > 6, `${nth - 1} requests were lost`);
      }
    });

  test('wherever a controller is killed between two requests, the next one goes on from there', async () => {
    for (let nth = 1, killed = true; killed; nth++) {
      killed = false;
      let step = 0;
      await lifetime(ground.bed.authUrl, () => {
        if (++step !== nth) return false;
        return (killed = true);
      });
      assert.ok(killed || nth > 5, `it was killed ${nth - 1} times`);
    }
  });

  test('one that Octavia gives up on is made anew as long as nobody knows it; later it is told, and stays', async () => {
    let refusals = 1;
    await using carrier = await scriptedServer((_request, response) => raw('', refusals-- > 0 ? 500 : 200)(response));
    ground.octavia.setHook(carrier.url);
    try {
      const services = new ServiceApi();
      services.service('web');
      services.endpoints('web', ['10.20.0.10']);
      await using serving = serve(ground, services);
      const address = await addressOf(services, 'web');
      assert.equal(refusals < 0, true);
      assert.deepEqual(
        (await all('loadbalancers')).map(({ vip_address }) => vip_address),
        [address],
      );
      refusals = 1;
      services.endpoints('web', ['10.20.0.11']);
      await condition(services, /openstack gave up on load balancer \S+ of Service shop\/web \(FP371\)/);
      assert.equal(services.find('web')?.status?.loadBalancer?.ingress?.[0]?.ip, address);
      assert.ok(
        serving.said.some((one) => one.startsWith('Warning LoadBalancerFailed')),
        serving.said.join('\n'),
      );
      services.delete('web');
      await isGone(services, 'web');
      assert.deepEqual(await ground.left(), []);
    } finally {
      ground.octavia.setHook(undefined);
    }
  });

  test('a quota, a subnet that is not there, and a family that it has not are told in the Service, and put right they are forgotten', async () => {
    const quota = await ground.octavia.call('admin');
    const limit = (load_balancer: number): Promise<unknown> => quota('PUT', `/quotas/${ground.demo.project}`, { quota: { load_balancer } });
    const services = new ServiceApi();
    services.endpoints('web', ['10.20.0.10']);
    await limit(0);
    services.service('web');
    await using _serving = serve(ground, services);
    await condition(services, /a quota of the account is used up \(FP175\).*Quota has been met.*loadbalancer quota set/);
    await limit(-1);
    const nowhere = '00000000-0000-4000-8000-000000000000';
    services.service('web', {}, { 'flatpod.dev/load-balancer-subnet': nowhere });
    await condition(services, new RegExp(`openstack does not know subnet ${nowhere} \\(FP164\\)`));
    services.service('web', { ipFamilies: ['IPv6'] });
    await condition(services, /has no IPv6, which the Service asks for/);
    services.service('web', { loadBalancerSourceRanges: ['everywhere'] });
    await condition(services, /no load balancer for Service shop\/web as it is \(FP370\).*"everywhere"/);
    services.service('web', { ipFamilies: ['IPv6', 'IPv4'] }, { 'flatpod.dev/load-balancer-subnet': `${ground.subnet}+${ground.subnet6}` });
    assert.match(await addressOf(services, 'web'), /^2001:db8:20:/);
    services.delete('web');
    await isGone(services, 'web');
    assert.deepEqual(await ground.left(), []);
  });

  test('without changes nothing is made, without releases nothing is given back, and both are told', async () => {
    const services = new ServiceApi();
    services.service('web');
    services.endpoints('web', ['10.20.0.10']);
    {
      await using _still = serve(ground, services, { changes: false });
      await condition(services, /changing calls to openstack are switched off \(FP169\)/);
      assert.deepEqual(await ground.left(), []);
    }
    {
      await using _making = serve(ground, services);
      await addressOf(services, 'web');
    }
    {
      await using _keeping = serve(ground, services, { releases: false });
      services.delete('web');
      await condition(services, /giving back to openstack is switched off \(FP172\)/);
      assert.equal((await all('loadbalancers')).length, 1);
    }
    await using _giving = serve(ground, services);
    await isGone(services, 'web');
    assert.deepEqual(await ground.left(), []);
  });

  test('an account that may only look is told what it lacks, by requests that make nothing; one that may do all lacks nothing', async () => {
    const admin = await as(ground.bed, 'admin');
    await using looking = await reader(ground.bed, admin);
    const lacks = async (variables: Readonly<Record<string, string>>): Promise<string[]> => {
      using cloud = openStackCloud({ credentials: { variables } });
      const balancers = cloud.loadBalancers({ subnet: ground.subnet, algorithm: 'ROUND_ROBIN', monitor: true });
      return (await balancers.missingPermissions?.()) ?? assert.fail('it can be asked');
    };
    assert.deepEqual(await lacks(ground.bed.environment('demo')), []);
    const missing = await lacks(looking.variables);
    assert.match(missing.join(), /may not os_load-balancer_api:loadbalancer:post, to make them/);
    assert.deepEqual(await ground.left(), []);
  });

  test('what is left of a Service whose finalizer was taken off by hand is taken away in the second sweep, and with releases off only told', async () => {
    const services = new ServiceApi();
    services.service('web');
    services.service('kept');
    {
      await using _serving = serve(ground, services, { floating: true });
      for (const name of ['web', 'kept']) await addressOf(services, name);
    }
    services.force('web');
    assert.equal(services.find('web'), undefined);
    using cloud = openStackCloud({ credentials: { variables: ground.bed.environment('demo') }, deadline_ms: 60_000 });
    const balancers = cloud.loadBalancers({
      subnet: ground.subnet,
      floatingNetwork: ground.outside,
      algorithm: 'ROUND_ROBIN',
      monitor: true,
    });
    const [clock, lines]: [ReturnType<typeof virtualClock>, string[]] = [virtualClock(), []];
    const log = createLog('test', 'info', (line) => void lines.push(line));
    const world = {
      api: services.api,
      balancers,
      rules: { cluster: 'test', isDefault: false, subnetOf: () => undefined },
      service: () => undefined,
      slices: () => [],
      events: { say: () => ({ isNews: true }) },
      clock,
      random: () => 0,
      log,
    };
    const seen: LeftSightings = { seen_ms: new Map(), told: new Set() };
    const sweep = async (releases: boolean): Promise<number> => (await sweepLoadBalancers({ ...world, releases }, seen)).length;
    assert.equal(await sweep(true), 0, 'seen for the first time');
    await clock.advance(61_000);
    for (let time = 0; time < 2; time++) assert.equal(await sweep(false), 0);
    assert.equal(lines.filter((line) => line.includes('it stays, as spec.cloud.releases is false')).length, 1);
    assert.equal((await all('loadbalancers')).length, 2);
    assert.equal(await sweep(true), 1);
    await eventually(
      'it is gone, and the other one not',
      async () => (await all('loadbalancers')).map(({ name }) => name).join() === 'test/shop/kept',
      LIMIT_s,
    );
    assert.equal((await ground.demo.network('GET', '/floatingips')).body.floatingips.length, 1);
    services.delete('kept');
    await using _serving = serve(ground, services, { floating: true });
    await isGone(services, 'kept');
    assert.deepEqual(await ground.left(), []);
  });
});

/** A Service with a floating IP is made, has other Pods, another port, and is deleted. `kill`: whether the controller dies before that step; then another one serves. */
async function lifetime(authUrl: string, kill: () => boolean = () => false): Promise<void> {
  const services = new ServiceApi();
  services.service('web');
  services.endpoints('web', ['10.20.0.10']);
  const start = (): ReturnType<typeof serve> => {
    const one = serve(ground, services, {
      authUrl,
      floating: true,
      before() {
        if (!kill()) return;
        // Nothing of this one goes on: what it would do next never happens, and another leads.
        next = one[Symbol.asyncDispose]().then(() => (serving = start()));
        throw new Error('killed');
      },
    });
    return one;
  };
  let next: PromiseLike<unknown> = Promise.resolve();
  let serving = start();
  try {
    assert.match(await addressOf(services, 'web'), /^203\.0\.113\./);
    assert.equal((await all('loadbalancers')).filter(({ provisioning_status: is }) => is !== 'PENDING_DELETE').length, 1);
    services.endpoints('web', ['10.20.0.11', '10.20.0.12']);
    services.service('web', { ports: [{ name: 'web', protocol: 'TCP', port: 81 }] });
    await eventually('it has other Pods behind another port', async () => (await members('tcp-81')).length === 2, LIMIT_s);
    services.delete('web');
    await isGone(services, 'web');
    assert.deepEqual(await ground.left(), []);
  } finally {
    await next;
    await serving[Symbol.asyncDispose]();
  }
}
