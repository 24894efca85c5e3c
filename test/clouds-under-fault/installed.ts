/**
 * Nodes with honest agents, a cloud's server, a real API server, and before them the controller as it is installed: a process under the machine's own clock,
 * which is killed by SIGKILL and followed by the next. What nodes have is compared with the server's own word.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cloud, CloudNic } from '../../src/cloud/cloud.ts';
import { accessOf } from '../../src/cli/kube-access.ts';
import { openApi } from '../../src/kube/api.ts';
import { createLog } from '../../src/log.ts';
import type { Ip } from '../../src/net/address.ts';
import { contains } from '../../src/net/cidr.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { type FaultProxy, faultProxy, type Met } from '../cloud/fault-proxy.ts';
import { type Agent, agent, subnet } from '../controller/harness.ts';
import { kubeBeside } from '../openstack/kube-beside.ts';
import { gone, type NodeOf } from './carried.ts';
import type { Kind } from './fronts.ts';
import { networksOf, storedNetworks } from './kube-networks.ts';
import { type Processes, processes } from './process.ts';

const CLUSTER = 'killed';
const tags = { 'flatpod.dev/cluster': CLUSTER };
/** Everything else on the machine may want its processors; interfaces that are to be deleted must be a minute old. */
const LIMIT_ms = 600_000;
const EVERY_ms = 50;
/** What the cloud has begun it may end later, and an agent looks anew for an interface that it was told of. */
const ANEW_ms = 1000;

/** See the head of this file. */
export interface Installed extends AsyncDisposable {
  readonly proxy: FaultProxy;
  readonly nodes: ReadonlyMap<string, NodeOf>;
  readonly controllers: Processes;
  add(name: string): Promise<Agent>;
  /** Detaches or deletes an interface of that node that we made, as a person would; its Pods end. Whether there was one. */
  byHand(node: string, how: 'detach' | 'delete'): Promise<boolean>;
  /** The PodSubnet is deleted: nodes give back all they have of it. */
  withdraw(): Promise<void>;
  /** Looks until that is so. @throws AssertionError when something in use was taken away, an address is on two interfaces or of two Pods, or never. */
  until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void>;
  /** All NICs of ours, from the server itself. */
  truth(): Promise<CloudNic[]>;
  /** @throws AssertionError when a node was told something else than the server says, or anything is left that no node was told of. */
  assertNoLeak(): Promise<void>;
  /** Whether all addresses are free that were in the beginning, but each machine's own. */
  isNothingHeld(): Promise<boolean>;
}

/** A cluster without nodes, one controller that leads and one that stands by; about fifteen seconds. */
export async function installed(kind: Kind): Promise<Installed> {
  await using building = new AsyncDisposableStack();
  const site = building.use(await kind.open(Date.now, 'small'));
  const proxy = building.use(await faultProxy(site.server, kind.dialect));
  const kube = building.use(await kubeBeside({ cluster: CLUSTER, cloud: { type: 'vpc', endpoint: 'http://127.0.0.1:1' } }));
  const root = building.adopt(openApi(accessOf(kube.rootConfig), { userAgent: 'test/1' }), (api) => api.close());
  const honest = building.use(site.driver(site.server));
  const [empty] = await honest.subnets([site.subnet]);
  const config = subnet('pods', { cloudSubnet: site.subnet, default: true, warm: { spare: 1 } });
  const { apiVersion, kind: objectKind, metadata } = config;
  const spec = { cloudSubnet: site.subnet, default: true, warm: { spare: 1 } };
  await kube.apply({ apiVersion, kind: objectKind, metadata, spec });
  const controllers = building.use(processes(kube, root, CLUSTER, site.configured(proxy.url)));
  const log = createLog('test', 'error', () => undefined);
  const nodes = new Map<string, NodeOf>();
  let [changes, looked_ms] = [-1, 0];
  const truth = (): Promise<CloudNic[]> => honest.nics({ tags });
  const look = async (): Promise<void> => {
    const now = proxy.calls.filter(({ isRead }: Met) => !isRead).length;
    if (now === changes && performance.now() - looked_ms < ANEW_ms) return;
    [changes, looked_ms] = [now, performance.now()];
    await carriedThroughout(honest, nodes);
  };
  const owned = building.move();
  return {
    proxy,
    nodes,
    controllers,
    truth,
    async add(name) {
      const instance = await (site.launchElsewhere?.(name) ?? site.launch(name));
      await kube.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: { providerID: `any:///zone/${instance}` } });
      const networks = owned.adopt(networksOf(root, name, log), (one) => one.stop());
      const one = owned.adopt(await agent(networks, instance, config, name), (it) => it.stop());
      const node = { instance, agent: one };
      // A grant may come before its interface does.
      await one.see(await seenIn(honest, node));
      nodes.set(name, node);
      return one;
    },
    async byHand(name, how) {
      const node = nodes.get(name);
      const nic = (await truth()).find(({ attachment }) => attachment?.instance === node?.instance);
      if (node === undefined || nic === undefined) return false;
      await honest.detachNic(nic.id);
      await node.agent.see(await seenIn(honest, node));
      if (how === 'delete') await gone(honest, nic);
      return true;
    },
    withdraw: () => root.delete({ ...resources.podSubnets, name: 'pods' }),
    async until(what, isSo) {
      for (const end_ms = performance.now() + LIMIT_ms; ; await sleep(EVERY_ms)) {
        await look();
        if (await isSo()) return;
        assert.ok(performance.now() < end_ms, `never so: ${what}`);
      }
    },
    async assertNoLeak() {
      const stored = await storedNetworks(root);
      const told = new Map(stored.flatMap(({ status }) => status?.nics ?? []).map(({ id, blocks }) => [id, blocks.toSorted()]));
      const own = await honest.nics({ instance: [...nodes.values()].map(({ instance }) => instance) });
      const all = new Map([...own, ...(await truth())].map((nic) => [nic.id, nic.blocks.toSorted()]));
      for (const [id, blocks] of all)
        if (blocks.length > 0 || told.has(id)) assert.deepEqual(told.get(id), blocks, `${id} was told as it is`);
      for (const { id } of await truth()) assert.ok(told.has(id), `nobody was told of ${id}`);
    },
    async isNothingHeld() {
      const [now] = await honest.subnets([site.subnet]);
      const own = await honest.nics({ instance: [...nodes.values()].map(({ instance }) => instance) });
      return now?.free4 === (empty?.free4 ?? 0) - own.filter((nic) => nic.subnet === site.subnet).length;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function seenIn(cloud: Cloud, { instance }: NodeOf): Promise<ReadonlySet<string>> {
  return new Set((await cloud.nics({ instance })).filter(isPlugged).map(({ id }) => id));
}

/** What is on its way out is no place for a Pod any more. */
function isPlugged({ attachment }: CloudNic): boolean {
  return attachment !== undefined && attachment.state !== 'detaching';
}

/** What Pods have before and after a look at the cloud, it brings to their node; no address is on two interfaces, and none is of two Pods. */
async function carriedThroughout(cloud: Cloud, nodes: ReadonlyMap<string, NodeOf>): Promise<void> {
  if (nodes.size === 0) return;
  const leased = (): Map<Ip, string> => {
    const all = [...nodes].flatMap(([name, { agent: one }]) =>
      one.leases.flatMap(({ addresses }) => addresses.map((ip) => [ip, name] as const)),
    );
    const byAddress = new Map(all);
    assert.equal(byAddress.size, all.length, 'an address is of two Pods');
    return byAddress;
  };
  const before = leased();
  const nics = await cloud.nics({ instance: [...nodes.values()].map(({ instance }) => instance) });
  const blocks = nics.flatMap((nic) => nic.blocks);
  assert.equal(new Set(blocks).size, blocks.length, 'an address is on two interfaces');
  // A Pod that has come or gone meanwhile says nothing about this list.
  for (const [ip, name] of leased()) {
    if (before.get(ip) !== name) continue;
    const plugged = nics.filter(({ attachment }) => attachment?.instance === nodes.get(name)?.instance);
    assert.ok(
      plugged.some((nic) => nic.blocks.some((block) => contains(block, ip))),
      `${ip} of a Pod on ${name} was taken away`,
    );
  }
  // What the kernel would tell the agents.
  for (const { instance, agent: one } of nodes.values()) {
    const here = nics.filter((nic) => nic.attachment?.instance === instance && isPlugged(nic));
    await one.see(new Set(here.map(({ id }) => id)));
  }
}
