/**
 * The demo on a real OpenStack: networks, ports and servers are Neutron's and Nova's, whose fabric is the emulated VPC; agents log in to Keystone.
 * `node test/openstack/demo.ts`; exits with 1 when anything is not as it should be.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { vpcApi } from '../../src/cli/demo/api.ts';
import { DIR, PODS, removeAll, VPC } from '../../src/cli/demo/demo.ts';
import type { Lab, LabSubnet, Machine } from '../../src/cli/demo/lab.ts';
import { perform } from '../../src/cli/demo/perform.ts';
import { step } from '../../src/cli/demo/progress.ts';
import { printReport } from '../../src/cli/demo/report.ts';
import { createLog } from '../../src/log.ts';
import { neutronFront } from '../../src/vpc/neutron/front.ts';
import { startVpc } from '../../src/vpc/start.ts';
import { openStackBed } from './bed.ts';
import { as, launch, make, type Session } from './client.ts';

const blocks = { a: '10.20.0.0/24', b: '10.20.1.0/24' } as const;
const machines = { 'node-1': 'a', 'node-2': 'a', 'node-3': 'b', vm: 'b' } as const;

/** Networks, a server on each, an internet host, and a public address for each server as a router would translate it. */
async function build(admin: Session, url: string): Promise<Lab> {
  using api = vpcApi(url);
  await openDefaultGroup(admin);
  const [subnets, networks] = [new Map<string, LabSubnet>(), new Map<string, string>()];
  for (const [name, cidr4] of Object.entries(blocks)) {
    const network = await make(admin, 'network', { name });
    const { id } = await make(admin, 'subnet', { network_id: network.id, ip_version: 4, cidr: cidr4, enable_dhcp: false });
    networks.set(name, network.id);
    subnets.set(name, { id, name, cidr4 });
  }
  const built = new Map<string, Machine>([['web', await api.call<Machine>('POST', '/v1/instances', { name: 'web', kind: 'internet' })]]);
  for (const [name, subnet] of Object.entries(machines)) {
    const port = await make(admin, 'port', { network_id: networks.get(subnet), name });
    const id = await launch(admin, name, [port.id]);
    const { address } = await api.call<{ address: string }>('POST', '/v1/public-addresses', { nic: port.id });
    const addresses = port.fixed_ips.map(({ ip_address }: { ip_address: string }) => ip_address);
    built.set(name, { name, id, netns: `/run/netns/${VPC}-${id.slice(0, 8)}`, addresses, publicAddress: address });
  }
  return { subnets, machines: built };
}

async function openDefaultGroup({ network, project }: Session): Promise<void> {
  const { security_groups: groups } = (await network('GET', `/security-groups?name=default&project_id=${project}`)).body;
  const security_group_rule = { security_group_id: groups[0].id, direction: 'ingress', ethertype: 'IPv4' };
  await network('POST', '/security-group-rules', { security_group_rule });
}

await using running = new AsyncDisposableStack();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
process.on('exit', removeAll);
removeAll();
mkdirSync(DIR, { recursive: true, mode: 0o700 });
const starting = step('OpenStack');
const bed = running.use(await openStackBed());
const admin = await as(bed, 'admin');
const log = createLog('vpc', 'error');
const vpc = await startVpc({
  name: VPC,
  listen: `unix:${DIR}/vpc.sock`,
  stateDir: join(DIR, 'vpc'),
  log,
  fronts: [neutronFront('127.0.0.1:0')],
});
running.defer(() => vpc.stop({ destroy: true }));
bed.setHook(vpc.frontUrls['neutron']);
const lab = await build(admin, vpc.url);
starting.done('Keystone, Neutron, Nova: 2 networks, 4 servers; an internet host');

const services = [bed.authUrl, admin.url('network') ?? '', admin.url('compute') ?? ''];
const cloud = {
  name: 'openstack',
  ports: [...new Set(services.map((url) => Number(new URL(url).port)))],
  spec: { type: 'openstack' },
  env: bed.environment('admin'),
  instance: (id: string) => id,
  subnet: (id: string) => id,
};
const api = running.use(vpcApi(vpc.url));
const report = await perform(running, { dir: DIR, podsPrefix: PODS, api, lab, cloud }, { keep: false, datapath: 'routed-veth' });
printReport(report, process.argv.includes('--json'));
process.exitCode = report.failures.length === 0 ? 0 : 1;
