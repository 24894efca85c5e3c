/** What tests on the real Octavia stand on: a bed with it, networks of demo's own, and the controller's part for Services over an API server in memory. */
import assert from 'node:assert/strict';
import { systemClock } from '../../src/cloud/clock.ts';
import type { SubnetId } from '../../src/cloud/cloud.ts';
import { allowedSteps } from '../../src/cloud/limits/steps.ts';
import { openStackCloud } from '../../src/cloud/openstack/openstack.ts';
import { loadBalancedServices } from '../../src/controller/services/services.ts';
import { createLog } from '../../src/log.ts';
import { eventually } from '../life/lab.ts';
import { ServiceApi, type StoredObject } from '../controller/service-api.ts';
import { type OpenStackBed, openStackBed } from './bed.ts';
import { as, type Call, make, removeNetworks, type Session } from './client.ts';
import { type OctaviaBed, octaviaBeside } from './octavia-bed.ts';

/** See the head of this file. */
export interface OctaviaGround extends AsyncDisposable {
  readonly bed: OpenStackBed;
  readonly octavia: OctaviaBed;
  readonly demo: Session;
  readonly balancers: Call;
  readonly subnet: SubnetId;
  readonly subnet6: SubnetId;
  readonly network: string;
  /** External, with a router to `subnet`. */
  readonly outside: string;
  /** Load balancers, floating IPs, and ports of addresses that are left. */
  left(): Promise<string[]>;
}

/** How a controller is started. */
export interface Serving {
  readonly authUrl?: string;
  readonly floating?: boolean;
  readonly changes?: boolean;
  readonly releases?: boolean;
  readonly isDefault?: boolean;
  /** Asked before each step; what it throws is the end of that step. */
  readonly before?: (text: string) => void;
}

/** A bed for the tests of one file. `most`: of Octavia's lists in one answer. */
export async function octaviaGround(options: Parameters<typeof openStackBed>[0] = { nova: false }, most?: number): Promise<OctaviaGround> {
  const open = new AsyncDisposableStack();
  try {
    const bed = open.use(await openStackBed(options));
    const octavia = open.use(await octaviaBeside(bed, most));
    const [admin, demo] = [await as(bed, 'admin'), await as(bed, 'demo')];
    const balancers = await octavia.call('demo');
    const { id: network } = await make(demo, 'network', { name: 'pods' });
    // Neutron gives at random, and none of those from 10.20.0.200 on: they are for whom a test asks for by value.
    const pools = [{ start: '10.20.0.2', end: '10.20.0.199' }];
    const four = { network_id: network, ip_version: 4, cidr: '10.20.0.0/24', allocation_pools: pools };
    const { id: subnet } = await make(demo, 'subnet', four);
    const { id: subnet6 } = await make(demo, 'subnet', { network_id: network, ip_version: 6, cidr: '2001:db8:20::/64' });
    const { id: outside } = await make(admin, 'network', { name: 'outside', 'router:external': true });
    await make(admin, 'subnet', { network_id: outside, ip_version: 4, cidr: '203.0.113.0/24', enable_dhcp: false });
    const router = await demo.network('POST', '/routers', { router: { name: 'r', external_gateway_info: { network_id: outside } } });
    assert.equal(router.status, 201, JSON.stringify(router.body));
    const { id: routerId } = router.body.router;
    assert.equal((await demo.network('PUT', `/routers/${routerId}/add_router_interface`, { subnet_id: subnet })).status, 200);
    open.defer(async () => {
      await demo.network('PUT', `/routers/${routerId}/remove_router_interface`, { subnet_id: subnet });
      await demo.network('DELETE', `/routers/${routerId}`);
      await removeNetworks(admin, [network, outside]);
    });
    const ground = open.move();
    return {
      bed,
      octavia,
      demo,
      balancers,
      subnet,
      subnet6,
      network,
      outside,
      async left() {
        const all = (await balancers('GET', '/loadbalancers')).body.loadbalancers.map(({ name }: { name: string }) => name);
        const floating = (await demo.network('GET', '/floatingips')).body.floatingips;
        const ports = (await demo.network('GET', '/ports?device_owner=Octavia')).body.ports.map(({ name }: { name: string }) => name);
        return [...all, ...floating.map((one: { floating_ip_address: string }) => one.floating_ip_address), ...ports];
      },
      [Symbol.asyncDispose]: () => ground.disposeAsync(),
    };
  } catch (error) {
    await open.disposeAsync();
    throw error;
  }
}

/** The controller's part for Services, as it runs where it leads; `log`: all it has said. */
export function serve(
  ground: OctaviaGround,
  { api }: ServiceApi,
  how: Serving = {},
): AsyncDisposable & { readonly log: string[]; readonly said: string[] } {
  const { bed, subnet, outside } = ground;
  const { authUrl = bed.authUrl, floating = false, changes = true, releases = true, isDefault = false, before = () => undefined } = how;
  const cloud = openStackCloud({ credentials: { variables: { ...bed.environment('demo'), OS_AUTH_URL: authUrl } }, deadline_ms: 60_000 });
  const driver = cloud.loadBalancers({ subnet, algorithm: 'ROUND_ROBIN', monitor: true, ...(floating && { floatingNetwork: outside }) });
  const balancers = allowedSteps(
    {
      ...driver,
      async perform(step) {
        before(step.text);
        await driver.perform(step);
      },
    },
    { changes, releases },
  );
  const [log, said]: [string[], string[]] = [[], []];
  const services = loadBalancedServices({
    api,
    balancers,
    rules: { cluster: 'test', isDefault, subnetOf: (ip) => (ip.startsWith('10.20.0.') ? subnet : undefined) },
    releases,
    events: {
      say({ type, reason, note }) {
        said.push(`${type} ${reason} ${note}`);
        return { isNews: true };
      },
    },
    clock: systemClock,
    log: createLog('test', 'debug', (line) => void log.push(line)),
    random: () => 0.1,
  });
  return {
    log,
    said,
    async [Symbol.asyncDispose]() {
      await services.stop();
      cloud[Symbol.dispose]();
    },
  };
}

/** The address that users of the Service are told, once they are. */
export async function addressOf(services: ServiceApi, name: string): Promise<string> {
  const told = (): string | undefined => services.find(name)?.status?.loadBalancer?.ingress?.[0]?.ip;
  await eventually(`Service ${name} has an address`, () => Promise.resolve(told() !== undefined), 120);
  return told() ?? '';
}

/** Its condition. */
export function readyOf(object: StoredObject | undefined): { status: string; reason: string; message: string } | undefined {
  return object?.status?.conditions?.find(({ type }) => type === 'flatpod.dev/LoadBalancerReady');
}
