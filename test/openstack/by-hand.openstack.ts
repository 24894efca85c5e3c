/** What people change in Neutron and Nova behind the controller's back: a port of their own on a node's server, and the subnet of the Pods. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { InstanceId, NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { startController } from '../../src/controller/controller.ts';
import { createLog } from '../../src/log.ts';
import type { NodeNetworkStatus } from '../../src/store/node-network.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import type { Site } from '../clouds-under-fault/fronts.ts';
import { world } from '../clouds-under-fault/world.ts';
import { type Agent, agent, memoryNetworks, subnet } from '../controller/harness.ts';
import { eventually } from '../life/lab.ts';
import { type OpenStackBed, openStackBed } from './bed.ts';
import { as, attach, make, portNow, type Session } from './client.ts';
import { openStackKind } from './kind.ts';

/** So long may anything take on a machine that is busy with others. */
const PATIENCE_s = 180;
let bed: OpenStackBed;
let demo: Session;

interface Hand extends AsyncDisposable {
  readonly site: Site;
  readonly network: string;
  readonly instance: InstanceId;
  status(): Promise<NodeNetworkStatus>;
  /** A controller that looks at everything anew every few seconds, and a node of that PodSubnet. */
  start(config: PodSubnet): Promise<Agent>;
}

/** A network with a server. Its flavor takes three interfaces, each with three addresses beside its own. */
async function hand(): Promise<Hand> {
  const open = new AsyncDisposableStack();
  try {
    const site = open.use(await openStackKind(bed).open(Date.now, 'small'));
    const instance = await site.launch('n1');
    const network = (await subnetNow(site.subnet)).network_id;
    const networks = memoryNetworks();
    return {
      site,
      network,
      instance,
      async status() {
        const now = await networks.get('n1');
        assert.ok(now !== undefined);
        return now.status;
      },
      async start(config) {
        const cloud = open.use(site.driver(site.server));
        const log = createLog('test', 'error', () => undefined);
        const timings = { fullRead_ms: 3000, confirm_ms: 1000, nicAge_ms: 2000 };
        const controller = await startController({ cluster: 'hand', networks, subnets: () => [config], cloud, log, timings });
        open.defer(() => controller.stop());
        const node = await agent(networks, instance, config);
        open.defer(() => node.stop());
        return node;
      },
      // Nothing is left of a controller's but what goes with the servers and the network.
      [Symbol.asyncDispose]: () => open.disposeAsync(),
    };
  } catch (error) {
    await open.disposeAsync();
    throw error;
  }
}

interface SubnetNow {
  readonly network_id: string;
  readonly allocation_pools: readonly object[];
}

async function subnetNow(id: string): Promise<SubnetNow> {
  const answer = await demo.network('GET', `/subnets/${id}`);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.subnet;
}

async function change(id: string, fields: object): Promise<void> {
  const answer = await demo.network('PUT', `/subnets/${id}`, { subnet: fields });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
}

// A suite, so that the bed is there for these tests alone: hooks of a file would run before the first test of all files.
describe('what is changed by hand', () => {
  before(async () => {
    bed = await openStackBed();
    demo = await as(bed, 'demo');
  });
  after(async () => bed?.[Symbol.asyncDispose]());

  test('a port that somebody attaches takes a place of the server, is not ours, and is never touched; taken out again, its place is ours', async () => {
    await using it = await hand();
    const theirs: string = (await make(demo, 'port', { network_id: it.network, name: 'theirs' })).id;
    await attach(demo, it.instance, theirs);
    await eventually('it is active', async () => (await portNow(demo, theirs)).status === 'ACTIVE', PATIENCE_s);
    const was = await portNow(demo, theirs);
    const node = await it.start(subnet('pods', { cloudSubnet: it.site.subnet, useFirstNic: false, warm: { spare: 0 } }));
    await node.want(6);
    await eventually('three of six Pods', async () => node.leases.length === 3, PATIENCE_s);
    const isTold = async (): Promise<boolean> =>
      /is full: 3 of 3 interfaces attached.*; 3 more addresses wanted$/.test((await it.status()).growth[0]?.text ?? '');
    await eventually('the others are told why', isTold, PATIENCE_s);
    assert.ok(!(await it.status()).nics.some(({ id, subnet: of }) => id === (theirs as NicId) && of !== undefined), 'it serves no Pods'); // Neutron's id
    assert.deepEqual(await portNow(demo, theirs), was, 'not even its revision is another');
    await demo.compute('DELETE', `/servers/${it.instance}/os-interface/${theirs}`);
    await eventually('six Pods', async () => node.leases.length === 6, PATIENCE_s);
    assert.equal((await portNow(demo, theirs)).device_id, '');
  });

  test('where the gateway is another, or gone, nodes are told, and Pods stay; a subnet with our ports in it cannot be deleted', async () => {
    await using it = await hand();
    const { site } = it;
    const node = await it.start(subnet('pods', { cloudSubnet: site.subnet, useFirstNic: false, warm: { spare: 0 } }));
    await node.want(2);
    await eventually('two Pods', async () => node.leases.length === 2, PATIENCE_s);
    const pods = node.leases.flatMap(({ addresses }) => addresses);
    const gateways = async (): Promise<unknown[]> =>
      (await it.status()).nics.flatMap((nic) => (nic.subnet === 'pods' ? [nic.gateway4] : []));
    assert.deepEqual(await gateways(), ['10.20.0.1']);
    await change(site.subnet, { gateway_ip: '10.20.0.254', allocation_pools: [{ start: '10.20.0.2', end: '10.20.0.253' }] });
    await eventually('it is another', async () => (await gateways())[0] === '10.20.0.254', PATIENCE_s);
    await change(site.subnet, { gateway_ip: null });
    await eventually('it is gone', async () => (await gateways())[0] === undefined, PATIENCE_s);
    assert.equal((await demo.network('DELETE', `/subnets/${site.subnet}`)).status, 409);
    assert.deepEqual(
      node.leases.flatMap(({ addresses }) => addresses),
      pods,
    );
  });

  test('a subnet that somebody deleted is told to whoever waits for addresses of it', async () => {
    await using it = await hand();
    const other = await make(demo, 'subnet', { network_id: it.network, ip_version: 4, cidr: '10.21.0.0/24', enable_dhcp: false });
    const id = other.id as SubnetId; // as Neutron gave it
    const node = await it.start(subnet('pods', { cloudSubnet: id, warm: { spare: 0 } }));
    await eventually('it was seen', async () => (await it.status()).vpcCidrs.length > 0, PATIENCE_s);
    assert.equal((await demo.network('DELETE', `/subnets/${id}`)).status, 204);
    await node.want(1);
    await eventually('it is told', async () => ((await it.status()).growth[0]?.text ?? '').includes(id), PATIENCE_s);
    assert.deepEqual(node.leases, []);
    const { nics } = await it.status();
    assert.deepEqual(
      nics.filter((nic) => nic.subnet === 'pods'),
      [],
    );
  });

  test('where the allocation pools have no more, Pods keep their addresses and others are told; where they have again, all are served', async () => {
    let site: Site | undefined;
    const kind = openStackKind(bed);
    const open: typeof kind.open = async (...how) => (site = await kind.open(...how));
    await using w = await world({ ...kind, open }, () => 0.5);
    const node = await w.add('n1');
    await node.want(2);
    await w.live(60_000);
    assert.equal(node.leases.length, 2);
    assert.ok(site !== undefined);
    const { network_id, allocation_pools: pools } = await subnetNow(site.subnet);
    const last = { subnet_id: site.subnet, ip_address: '10.20.0.254' };
    const { id: taken } = await make(demo, 'port', { network_id, fixed_ips: [last] });
    await change(site.subnet, { allocation_pools: [{ start: last.ip_address, end: last.ip_address }] });
    await node.want(5);
    await w.live(400_000);
    const served = node.leases.length;
    assert.ok(served >= 2 && served < 5, `${served} Pods`);
    const isFull = (line: string): boolean => line.includes(`subnet ${site?.subnet} has no room for`);
    assert.ok(w.lines.some(isFull), w.lines.join(''));
    await demo.network('DELETE', `/ports/${taken}`);
    await change(site.subnet, { allocation_pools: pools });
    await w.live(900_000);
    assert.equal(node.leases.length, 5);
    await w.assertNoLeak();
    await w.remove('n1');
  });
});
