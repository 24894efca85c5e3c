/** Whether all records of a cluster agree: Pods, agents, their databases, the kernels, NodeNetworks and the VPC. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempDisposableSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { askAgent } from '../../src/cli/ask.ts';
import { parseIp } from '../../src/net/address.ts';
import { aggregate, hostCidr, parseCidr } from '../../src/net/cidr.ts';
import { eventually } from './eventually.ts';
import type { KubeObject } from './admin.ts';
import {
  blocksOf,
  isForOnePod,
  addressesOf,
  type CloudNic,
  nameOf,
  nicsAt,
  nicsOf,
  type PodObject,
  reportOf,
  usesAddresses,
} from './checker-views.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterNode } from './node.ts';

/** For what is under way: cooldowns, blocks that go back, a controller that takes over. */
const LIMIT_s = 120;

interface NodeNetworkObject extends KubeObject {
  readonly spec?: {
    readonly returned: readonly string[];
  };
  readonly status?: {
    readonly nics: readonly { readonly id: string; readonly blocks: readonly string[]; readonly reclaiming: readonly string[] }[];
  };
}

/** Waits until they agree. @throws AssertionError that says which of them differ, and in what. */
export async function untilAgreed(cluster: Cluster, limit_s = LIMIT_s): Promise<void> {
  await eventually('all records agree', async () => (await agreeNow(cluster), true), limit_s);
}

async function agreeNow(cluster: Cluster): Promise<void> {
  const pods = (await cluster.admin.list<PodObject>('/api/v1/pods')).filter(usesAddresses);
  const nics = await nicsOf(cluster);
  for (const node of cluster.nodes) {
    const own = pods.filter(({ spec }) => spec.nodeName === node.name);
    const expected = own.map((pod) => `${nameOf(pod)} ${addressesOf(pod).toSorted().join(' ')}`).toSorted();
    await nodeAgrees(node, expected, nicsAt(cluster, nics, node.name));
    await objectAgrees(cluster, node, own.flatMap(addressesOf), nicsAt(cluster, nics, node.name));
  }
  const detached = nics.filter(({ attachment }) => attachment === undefined).map(({ id }) => id);
  assert.deepEqual({ where: 'the VPC', detached }, { where: 'the VPC', detached: [] });
}

/** Agent, database and kernel of the node hold these Pods and nothing else. */
async function nodeAgrees(node: ClusterNode, pods: readonly string[], nics: readonly CloudNic[]): Promise<void> {
  const report = await reportOf(node);
  const stored = storedBy(node);
  const sum = (of: 'inUse' | 'cooling' | 'waiting'): number => report.pools.reduce((total, one) => total + one[of], 0);
  const links = report.pods.map(({ link }) => link).toSorted();
  const found = {
    node: node.name,
    agent: report.pods.map(({ pod, addresses }) => `${pod} ${addresses.toSorted().join(' ')}`).toSorted(),
    numbers: { inUse: sum('inUse'), cooling: sum('cooling'), waiting: sum('waiting') },
    database: stored.attachments,
    leases: stored.leases,
    routes: (await ipJson(node, 'route', 'show', 'table', '7000')).map(({ dst, dev }) => `${String(dst)} ${String(dev)}`).toSorted(),
    links: (await ipJson(node, 'link', 'show'))
      .map(({ ifname }) => String(ifname))
      .filter((name) => /^fp[0-9a-f]/.test(name))
      .toSorted(),
    rules: await rulesOn(node),
    namespaces: (await namespacesOn(node)).length,
    differences: (await askAgent<{ differences: string[] }>(node.path('/run/flatpod/cni.sock'), 'check', 10_000)).differences,
    spool: spoolOf(node),
  };
  assert.deepEqual(found, {
    node: node.name,
    agent: pods,
    numbers: { inUse: report.pods.flatMap(({ addresses }) => addresses).length, cooling: 0, waiting: 0 },
    database: report.pods.map(({ container, ifname }) => `${container}/${ifname}`).toSorted(),
    leases: report.pods.flatMap(({ addresses }) => addresses).toSorted(),
    routes: report.pods.flatMap(({ addresses, link }) => addresses.map((address) => `${address} ${link}`)).toSorted(),
    links,
    rules: rulesFor(nics),
    namespaces: pods.length,
    differences: [],
    spool: [],
  });
}

/** The NodeNetwork says what the VPC says, and nothing is under way. (Its demand may be half a minute old; the agent's own numbers are compared.) */
async function objectAgrees(cluster: Cluster, node: ClusterNode, used: readonly string[], nics: readonly CloudNic[]): Promise<void> {
  const { spec, status } = await cluster.admin.ask<NodeNetworkObject>('GET', `/apis/flatpod.dev/v1alpha1/nodenetworks/${node.name}`);
  const said = (of: readonly { readonly id: string; readonly blocks: readonly string[] }[]): string[] =>
    of.map(({ id, blocks }) => `${id}: ${blocks.toSorted().join(' ')}`).toSorted();
  const found = {
    object: node.name,
    nics: said(status?.nics ?? []),
    returned: spec?.returned ?? [],
    // What is asked back while a Pod has it waits for that Pod's end.
    reclaiming: (status?.nics ?? [])
      .flatMap(({ reclaiming }) => reclaiming)
      .filter((block) => !used.some((address) => block === `${address}/32`)),
  };
  assert.deepEqual(found, {
    object: node.name,
    nics: said(nics.map((nic) => ({ id: nic.id, blocks: blocksOf(nic) }))),
    returned: [],
    reclaiming: [],
  });
}

/** From a copy: SQLite resolves links in paths, and the one that leads into another mount namespace is none to it. */
function storedBy(node: ClusterNode): { readonly attachments: string[]; readonly leases: string[] } {
  using copy = mkdtempDisposableSync(join(tmpdir(), `fpe-${process.pid}-state-`));
  for (const name of ['state.db', 'state.db-wal']) {
    if (existsSync(node.path(`/var/lib/flatpod/${name}`))) copyFileSync(node.path(`/var/lib/flatpod/${name}`), join(copy.path, name));
  }
  using database = new DatabaseSync(join(copy.path, 'state.db'));
  const attachments = database.prepare('SELECT container, ifname FROM attachments').all();
  const leases = database.prepare('SELECT address FROM leases').all();
  return {
    attachments: attachments.map((row) => `${String(row['container'])}/${String(row['ifname'])}`).toSorted(),
    leases: leases.map((row) => String(row['address'])).toSorted(),
  };
}

/** Those with an interface of a Pod. A containerd that is killed when it has just made one forgets it for good: it is empty, and nobody's. */
async function namespacesOn(node: ClusterNode): Promise<string[]> {
  const script = 'for one in $(ls /run/netns); do if ip -n "$one" link show eth0; then echo "has $one"; fi; done 2>/dev/null';
  return (await node.output('sh', '-c', script)).split('\n').filter((line) => line.startsWith('has '));
}

/** Rules with priorities of ours, as priority, source and table. */
async function rulesOn(node: ClusterNode): Promise<string[]> {
  const rules = await ipJson(node, 'rule', 'show');
  return rules
    .filter(({ priority }) => priority === 700 || priority === 740)
    .map(
      ({ priority, src, srclen, table }) =>
        `${String(priority)} ${String(src)}${typeof srclen === 'number' ? `/${srclen}` : ''} ${String(table)}`,
    )
    .toSorted();
}

/** One to all Pods, one for each block of a further NIC. */
function rulesFor(nics: readonly CloudNic[]): string[] {
  const ofNics = nics.flatMap((nic) => {
    const { attachment, primary4, blocks } = nic;
    const index = attachment?.deviceIndex ?? 0;
    if (index === 0 || isForOnePod(nic)) return [];
    const own = primary4 === undefined ? [] : [hostCidr(parseIp(primary4))];
    return aggregate([...own, ...blocks.map((block) => parseCidr(block))]).map(
      (block) => `740 ${block.replace(/\/32$/, '')} ${7000 + index}`,
    );
  });
  return ['700 all 7000', ...ofNics].toSorted();
}

function spoolOf(node: ClusterNode): string[] {
  try {
    return readdirSync(node.path('/var/lib/flatpod/spool'));
  } catch {
    return []; // no DEL ever came to it
  }
}

async function ipJson(node: ClusterNode, ...args: readonly string[]): Promise<Readonly<Record<string, unknown>>[]> {
  const { stdout } = await node.run(['ip', '-4', '-j', ...args]);
  // ip prints nothing at all for an empty table. The shape is what the caller compares.
  return stdout.trim() === '' ? [] : (JSON.parse(stdout) as Record<string, unknown>[]);
}
