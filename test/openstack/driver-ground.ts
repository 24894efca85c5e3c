/** What the driver's tests stand on in the bed: a network of demo's own, servers with their limits in their flavors, and a way back to how it was. */
import assert from 'node:assert/strict';
import { after } from 'node:test';
import type { Cloud, InstanceId, SubnetId } from '../../src/cloud/cloud.ts';
import type { Addressing } from '../../src/cloud/openstack/context.ts';
import { openStackCloud } from '../../src/cloud/openstack/openstack.ts';
import type { Ground } from '../cloud-contract/contract.ts';
import { eventually } from '../life/lab.ts';
import { reader, revokedCredential } from './accounts.ts';
import { type OpenStackBed, openStackBed } from './bed.ts';
import { as, boot, endServer, flavor, make, removeNetworks, type Session } from './client.ts';

/** Ports that the project may have: less than it has, and enough for all tests. */
const [FEW, ENOUGH] = [1, 500];
const limits = { nics: 2, addressSlotsPerNic: 4, ipv6SlotsPerNic: 4 } as const;

/** The bed with what the contract asks for in it. Made once: servers take seconds. */
export interface DriverGround extends AsyncDisposable {
  readonly bed: OpenStackBed;
  readonly admin: Session;
  readonly demo: Session;
  readonly subnet: SubnetId;
  readonly small: SubnetId;
  readonly network: string;
  readonly instance: InstanceId;
  /** For one test of the contract: its disposal leaves servers and subnets, and nothing else. */
  contract(addressing: Addressing): Promise<Ground>;
  /** Away with all NICs and reservations, as whoever: not with the driver that is tested. */
  clean(): Promise<void>;
}

const stack = new AsyncDisposableStack();
let shared: Promise<DriverGround> | undefined;
after(() => stack.disposeAsync());

/** One bed with its servers for all tests of the driver, which run one after the other; it ends with the last of them. */
export function sharedGround(): Promise<DriverGround> {
  shared ??= (async () => stack.use(await driverGround(stack.use(await openStackBed()))))();
  return shared;
}

async function driverGround(bed: OpenStackBed): Promise<DriverGround> {
  const [admin, demo] = [await as(bed, 'admin'), await as(bed, 'demo')];
  const net = (await make(demo, 'network', { name: 'driver' })).id as string;
  const subnet = async (fields: object): Promise<string> =>
    (await make(demo, 'subnet', { network_id: net, enable_dhcp: false, ...fields })).id;
  // Neutron gives at random: what the contract asks for by value is in no pool, and neither is what the servers have.
  const pools = [
    { start: '10.20.0.2', end: '10.20.0.63' },
    { start: '10.20.0.128', end: '10.20.0.239' },
  ];
  const four = await subnet({ ip_version: 4, cidr: '10.20.0.0/24', allocation_pools: pools });
  // The pool ends before the addresses of Pods: of a /80 Neutron knows the first address alone. It begins behind those that are asked for by value.
  const pool = { start: '2001:db8:20::100', end: '2001:db8:20::ffff' };
  const six = await subnet({ ip_version: 6, cidr: '2001:db8:20::/64', allocation_pools: [pool] });
  const small = await subnet({ ip_version: 4, cidr: '10.20.1.0/28' });
  const specs = { 'flatpod:nics': '2', 'flatpod:slots': '4' };
  const plain = await flavor(admin, 'plain', specs);
  const branching = await flavor(admin, 'branching', { ...specs, 'flatpod:nics': '3', 'flatpod:branches': '2' });
  const firsts = await Promise.all(
    [1, 2, 3].map((n) =>
      make(demo, 'port', { network_id: net, fixed_ips: [{ subnet_id: four, ip_address: `10.20.0.24${n}` }, { subnet_id: six }] }),
    ),
  );
  const servers = await Promise.all(firsts.map(({ id }, i) => boot(demo, `n${i}`, i === 2 ? branching : plain, id)));
  const [instance, other, third] = servers;
  assert.ok(instance !== undefined && other !== undefined && third !== undefined);
  const keep = new Set<string>(firsts.map(({ id }) => id));
  let isShort = false;
  const ports = async (most: number): Promise<void> => {
    assert.equal((await admin.network('PUT', `/quotas/${demo.project}`, { quota: { port: most } })).status, 200);
    isShort = most === FEW;
  };
  const clean = async (): Promise<void> => {
    if (isShort) await ports(ENOUGH);
    await cleaned(demo, net, keep);
  };
  return {
    bed,
    admin,
    demo,
    network: net,
    // Neutron's ids, as it gave them a moment ago.
    subnet: `${four}+${six}` as SubnetId,
    small: small as SubnetId,
    instance,
    clean,
    contract: (addressing) => {
      const cloud = openStackCloud({
        credentials: { variables: bed.environment('demo') },
        addressing: () => addressing,
        // Beside others on the machine an attach takes half a minute.
        deadline_ms: 120_000,
      });
      const ends = new AsyncDisposableStack();
      const by = (variables: Readonly<Record<string, string>>): Cloud =>
        ends.use(openStackCloud({ credentials: { variables }, addressing: () => addressing, deadline_ms: 120_000 }));
      const hosts = ['10.20.0.0/32', '10.20.0.1/32', '10.20.0.255/32', '10.20.0.0/28', '10.20.0.240/28', '2001:db8:20::/80'];
      return Promise.resolve({
        cloud,
        subnet: `${four}+${six}` as SubnetId,
        small: small as SubnetId,
        instance,
        other,
        limits,
        branching: third,
        passing: async () => {
          const { id: port } = await make(demo, 'port', { network_id: net, fixed_ips: [{ subnet_id: four }, { subnet_id: six }] });
          const server = await boot(demo, 'passing', plain, port);
          return {
            instance: server,
            async end() {
              await endServer(demo, server);
              await demo.network('DELETE', `/ports/${port}`);
            },
          };
        },
        v6: '2001:db8:20',
        prefixes: addressing === 'blocks',
        reserved: hosts,
        tellsHolder: true,
        multiMac: true,
        stranger: by({ ...bed.environment('demo'), OS_PASSWORD: 'wrong' }),
        expired: async () => by(await revokedCredential(bed)),
        denied: async () => by(ends.use(await reader(bed, admin)).variables),
        quota: () => ports(FEW),
        lacks: {
          pages: 'Neutron of the bed has pages of 1000',
          foreign: 'no other program marks ports there',
        },
        async [Symbol.asyncDispose]() {
          cloud[Symbol.dispose]();
          await ends.disposeAsync();
          await clean();
        },
      });
    },
    async [Symbol.asyncDispose]() {
      await clean();
      await Promise.all(servers.map((server) => endServer(demo, server)));
      await removeNetworks(demo, [net]);
      for (const id of [plain, branching]) await admin.compute('DELETE', `/flavors/${id}`);
    },
  };
}

interface Left {
  readonly id: string;
  readonly device_id: string;
  readonly device_owner: string;
  readonly trunk_details?: { readonly trunk_id: string; readonly sub_ports: readonly object[] };
}

async function cleaned({ network, compute }: Session, net: string, keep: ReadonlySet<string>): Promise<void> {
  const left = async (): Promise<Left[]> =>
    (await network('GET', `/ports?network_id=${net}`)).body.ports.filter(({ id }: Left) => !keep.has(id));
  for (const { id, device_id, device_owner, trunk_details } of await left()) {
    if (trunk_details !== undefined && trunk_details.sub_ports.length > 0)
      await network('PUT', `/trunks/${trunk_details.trunk_id}/remove_subports`, { sub_ports: trunk_details.sub_ports });
    if (device_owner.startsWith('compute:')) await compute('DELETE', `/servers/${device_id}/os-interface/${id}`);
  }
  await eventually('all is detached', async () => (await left()).every(({ device_owner }) => !device_owner.startsWith('compute:')), 120);
  for (const { id, trunk_details } of await left()) {
    if (trunk_details !== undefined) await network('DELETE', `/trunks/${trunk_details.trunk_id}`);
    await network('DELETE', `/ports/${id}`);
  }
  assert.deepEqual(await left(), []);
}
