/**
 * The demo on a real OpenStack: networks, ports and servers are Neutron's and Nova's, whose fabric is the emulated VPC; agents log in to Keystone.
 * `node test/openstack/demo.ts`; exits with 1 when anything is not as it should be.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { SubnetId } from '../../src/cloud/cloud.ts';
import { openStackCloud } from '../../src/cloud/openstack/openstack.ts';
import { vpcApi } from '../../src/cli/demo/api.ts';
import { DIR, PODS, removeAll, VPC } from '../../src/cli/demo/demo.ts';
import type { Lab, LabSubnet, Machine } from '../../src/cli/demo/lab.ts';
import { perform } from '../../src/cli/demo/perform.ts';
import { step } from '../../src/cli/demo/progress.ts';
import { printReport } from '../../src/cli/demo/report.ts';
import { createLog } from '../../src/log.ts';
import { neutronFront } from '../../src/vpc/neutron/front.ts';
import { startVpc } from '../../src/vpc/start.ts';
import { applicationCredential, variablesOf } from './accounts.ts';
import { openStackBed, users } from './bed.ts';
import { as, boot, flavor, make, type Session } from './client.ts';

const blocks = { a: '10.20.0.0/24', b: '10.20.1.0/24' } as const;
/** The least that the agents' account has to be. */
const machines = { 'node-1': 'a', 'node-2': 'a', 'node-3': 'b', vm: 'b' } as const;

/** Networks of the member's, a server on each, an internet host, and a public address for each server as a router would translate it. */
async function build(member: Session, type: string, url: string): Promise<Lab> {
  using api = vpcApi(url);
  await openDefaultGroup(member);
  const [subnets, networks] = [new Map<string, LabSubnet>(), new Map<string, string>()];
  for (const [name, cidr4] of Object.entries(blocks)) {
    const network = await make(member, 'network', { name });
    const { id } = await make(member, 'subnet', { network_id: network.id, ip_version: 4, cidr: cidr4, enable_dhcp: false });
    networks.set(name, network.id);
    subnets.set(name, { id, name, cidr4 });
  }
  const built = new Map<string, Machine>([['web', await api.call<Machine>('POST', '/v1/instances', { name: 'web', kind: 'internet' })]]);
  for (const [name, subnet] of Object.entries(machines)) {
    const port = await make(member, 'port', { network_id: networks.get(subnet), name });
    const id = await boot(member, name, type, port.id);
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

async function missingFor(variables: Record<string, string>, subnets: readonly SubnetId[]): Promise<string[]> {
  using cloud = openStackCloud({ credentials: { variables } });
  return await cloud.missingPermissions(subnets);
}

await using running = new AsyncDisposableStack();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
process.on('exit', removeAll);
removeAll();
mkdirSync(DIR, { recursive: true, mode: 0o700 });
const starting = step('OpenStack');
const bed = running.use(await openStackBed());
// An administrator makes the flavor of the servers, and nothing else.
const [admin, member] = [await as(bed, 'admin'), await as(bed, 'demo')];
const type = await flavor(admin, 'demo', {});
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
const lab = await build(member, type, vpc.url);
starting.done('Keystone, Neutron, Nova: 2 networks, 4 servers; an internet host');

const env = variablesOf(bed, await applicationCredential(member, 'flatpod'));
const loggingIn = step('account');
const ids = [...lab.subnets.values()].map(({ id }) => id as SubnetId); // Neutron's, as it gave them
const missing = await missingFor(env, ids);
loggingIn.done(
  `an application credential with role member of project ${users.demo.project}: ${missing.length === 0 ? 'it lacks nothing' : `it lacks ${missing.join('; ')}`}`,
);

const services = [bed.authUrl, member.url('network') ?? '', member.url('compute') ?? ''];
const cloud = {
  name: 'openstack',
  ports: [...new Set(services.map((url) => Number(new URL(url).port)))],
  spec: { type: 'openstack' },
  env,
  instance: (id: string) => id,
  subnet: (id: string) => id,
};
const api = running.use(vpcApi(vpc.url));
const report = await perform(running, { dir: DIR, podsPrefix: PODS, api, lab, cloud }, { keep: false, datapath: 'routed-veth' });
printReport(report, process.argv.includes('--json'));
process.exitCode = report.failures.length === 0 && missing.length === 0 ? 0 : 1;
