/** What tests with packets stand on: a VPC that Neutron tells of what it does, and a network with servers of Nova whose ports are NICs of that VPC. */
import assert from 'node:assert/strict';
import type { InstanceId, SubnetId } from '../../src/cloud/cloud.ts';
import { neutronFront } from '../../src/vpc/neutron/front.ts';
import { type Drop, drops as dropsOf } from '../vpc/site.ts';
import { testVpc, type TestVpc } from '../vpc/support.ts';
import type { OpenStackBed } from './bed.ts';
import { boot, endServer, flavor, make, removeNetworks, type Session } from './client.ts';

/** The VPC's name, with which the names of its namespaces begin. */
export const FABRIC = `fpos${process.pid % 10_000}`;

interface Addressed {
  readonly fixed_ips: readonly { readonly ip_address: string }[];
}

/** Of a port; empty when it has none of that family. */
export function addressOf({ fixed_ips }: Addressed, family: 4 | 6 = 4): string {
  return fixed_ips.find(({ ip_address }) => ip_address.includes(':') === (family === 6))?.ip_address ?? '';
}

interface Server {
  readonly id: InstanceId;
  readonly netns: string;
  readonly port: string;
  readonly address: string;
  readonly address6: string;
}

/** See the head of this file. */
export interface FabricGround extends AsyncDisposable {
  readonly vpc: TestVpc;
  readonly network: string;
  readonly gateways: readonly string[];
  /** As the driver calls both subnets together. */
  readonly subnets: SubnetId;
  /** A server with one port in the network. */
  server(name: string, port?: object): Promise<Server>;
  /** A security group that lets everything out, and in what comes by TCP to that port. */
  group(port: number): Promise<string>;
}

/** A network with IPv4 and IPv6 of that owner, who need not be an administrator. */
export async function fabricGround(
  bed: OpenStackBed,
  { admin, owner }: { readonly admin: Session; readonly owner: Session },
): Promise<FabricGround> {
  const vpc = await testVpc({ name: FABRIC, fabric: true, fronts: [neutronFront('127.0.0.1:0')] });
  const open = new AsyncDisposableStack();
  open.use(vpc);
  open.defer(() => bed.setHook(undefined));
  try {
    bed.setHook(vpc.frontUrls['neutron']);
    const type = await flavor(admin, 'fabric', {});
    open.defer(async () => void (await admin.compute('DELETE', `/flavors/${type}`)));
    // They go after the ports that are in them.
    const groups: string[] = [];
    open.defer(async () => {
      for (const id of groups) await owner.network('DELETE', `/security-groups/${id}`);
    });
    const network = await make(owner, 'network', { name: 'nodes' });
    open.defer(() => removeNetworks(owner, [network.id]));
    const subnet = { network_id: network.id, enable_dhcp: false };
    // Neutron gives at random: what the tests name themselves, from 10.77.0.192 on, no server has.
    const pools = [{ start: '10.77.0.2', end: '10.77.0.191' }];
    const four = await make(owner, 'subnet', { ...subnet, ip_version: 4, cidr: '10.77.0.0/24', allocation_pools: pools });
    // The pool ends before the addresses of Pods, as docs/clouds/openstack.md says.
    const pool = { start: '2001:db8:77::2', end: '2001:db8:77::ffff' };
    const six = await make(owner, 'subnet', { ...subnet, ip_version: 6, cidr: '2001:db8:77::/64', allocation_pools: [pool] });
    return {
      vpc,
      network: network.id,
      subnets: `${four.id}+${six.id}` as SubnetId, // as src/cloud/openstack says
      gateways: [four.gateway_ip, six.gateway_ip],
      async server(name, fields = {}) {
        const port = await make(owner, 'port', { network_id: network.id, name, ...fields });
        const id = await boot(owner, name, type, port.id);
        open.defer(() => endServer(owner, id));
        return {
          id,
          netns: `/run/netns/${FABRIC}-${id.slice(0, 8)}`,
          port: port.id,
          address: addressOf(port),
          address6: addressOf(port, 6),
        };
      },
      async group(tcp) {
        const id = await groupFor(owner, tcp);
        groups.push(id);
        return id;
      },
      [Symbol.asyncDispose]: () => open.disposeAsync(),
    };
  } catch (error) {
    await open.disposeAsync();
    throw error;
  }
}

/** Made while the VPC listens, or it would not know the group's rules. */
async function groupFor({ network }: Session, tcp: number): Promise<string> {
  const { id } = (await network('POST', '/security-groups', { security_group: { name: `port-${tcp}` } })).body.security_group;
  for (const ethertype of ['IPv4', 'IPv6']) {
    const rule = { security_group_id: id, direction: 'ingress', ethertype, protocol: 'tcp', port_range_min: tcp, port_range_max: tcp };
    const made = await network('POST', '/security-group-rules', { security_group_rule: rule });
    assert.equal(made.status, 201, JSON.stringify(made.body));
  }
  return id;
}

/** What was dropped for that reason. */
export function drops(on: FabricGround, reason: string): Promise<Drop[]> {
  return dropsOf({ ...on, a: '', b: '', launch: () => Promise.reject() }, reason);
}
