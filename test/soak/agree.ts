/** Model, agent, database, kernel and cloud agree exactly: on the attachments, their addresses, what carries them, and what the cloud granted. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { readPodInterface } from '../../src/datapath/stored.ts';
import type { PodInterface } from '../../src/datapath/interface.ts';
import { NAMED } from '../../src/kernel/netns.ts';
import { parseIp } from '../../src/net/address.ts';
import { aggregate, contains, hostCidr, parseCidr } from '../../src/net/cidr.ts';
import { eventually, type TestNode } from '../life/lab.ts';
import { LIMIT_s, nameOf, type Stage, whole } from './stage.ts';
import { attachmentsOf } from './world.ts';

/** After an error the controller may pause, and for a minute it believes what it wrote itself rather than a read: an agent that starts anew reads. */
const PATIENCE_s = 2;

interface CloudNic {
  readonly id: string;
  readonly blocks: readonly string[];
  readonly primary4?: string;
  readonly primary6?: string;
  readonly attachment?: { readonly deviceIndex: number };
}

interface Row {
  readonly key: string;
  readonly nic: string;
  readonly interface: PodInterface;
}

interface Stored {
  readonly rows: readonly Row[];
  readonly leases: readonly string[];
  readonly nics: readonly (CloudNic & { readonly deviceIndex: number })[];
}

/** Waits for what is under way to end. @throws AssertionError that says where two of them differ. */
export async function agree(stage: Stage): Promise<void> {
  await stage.cloud.heal();
  const everywhere: string[] = [];
  for (const [index, node] of stage.lab.nodes.entries()) {
    await whole(stage, index);
    await eventually(`all agree on ${node.name}`, () => agreeOn(stage, index), LIMIT_s);
    await eventually('', () => cloudAgrees(stage, node), PATIENCE_s).catch(async () => {
      await stage.restart(index);
      await eventually(`${node.name} and the cloud agree`, () => cloudAgrees(stage, node), LIMIT_s);
    });
    everywhere.push(...storedBy(node).leases);
  }
  assert.equal(new Set(everywhere).size, everywhere.length, 'an address on two nodes');
  await stage.cloud.restore();
}

async function agreeOn(stage: Stage, index: number): Promise<void> {
  const node = stage.lab.node(index);
  const modelled = attachmentsOf(stage.world, index);
  const known = modelled.map((one) => `${nameOf(stage, one)} ${stage.ledger.addressesOf(nameOf(stage, one)).toSorted().join(' ')}`);
  const report = await node.report();
  const stored = storedBy(node);
  const said = (key: string, addresses: readonly string[]): string => `${key} ${addresses.toSorted().join(' ')}`;
  assert.deepEqual(
    report.pods.map((pod) => said(`${pod.container}/${pod.ifname}`, pod.addresses)).toSorted(),
    known.toSorted(),
    'agent and model',
  );
  assert.deepEqual(stored.rows.map((row) => said(row.key, row.interface.addresses)).toSorted(), known.toSorted(), 'database and model');
  assert.deepEqual(stored.leases, stored.rows.flatMap((row) => row.interface.addresses).toSorted(), 'leases and attachments');
  const inUse = report.pools.reduce((sum, pool) => sum + pool.inUse, 0);
  assert.equal(inUse, stored.rows.length, 'pools and attachments');
  const spool = join(node.dir, 'state/spool');
  assert.deepEqual(existsSync(spool) ? readdirSync(spool) : [], [], 'the spool is empty');
  const gone = new Set(modelled.filter(({ of }) => of.goneAt !== undefined).map((one) => nameOf(stage, one)));
  kernelAgrees(node, stored, gone);
}

function storedBy(node: TestNode): Stored {
  using database = new DatabaseSync(join(node.dir, 'state/state.db'), { readOnly: true, timeout: 2000 });
  const text = (value: unknown): string => String(value);
  return {
    rows: database
      .prepare('SELECT * FROM attachments')
      .all()
      .map((row) => ({
        key: `${text(row['container'])}/${text(row['ifname'])}`,
        nic: text(row['nic']),
        interface: readPodInterface(JSON.parse(text(row['interface']))),
      })),
    leases: database
      .prepare('SELECT address FROM leases')
      .all()
      .map((row) => text(row['address']))
      .toSorted(),
    nics: database
      .prepare('SELECT status FROM node_networks')
      .all()
      .flatMap((row) => (JSON.parse(text(row['status'])) as { nics: (CloudNic & { deviceIndex: number })[] }).nics),
  };
}

/** Exactly the links, routes and rules of the attachments and the rules of the NICs. */
function kernelAgrees(node: TestNode, { rows, nics }: Stored, gone: ReadonlySet<string>): void {
  const living = rows.filter(({ key }) => !gone.has(key));
  const links = ipJson(node, '-d', 'link', 'show').filter(({ ifname }) => String(ifname).startsWith('fp'));
  assert.deepEqual(
    links.map(({ ifname, ifalias }) => `${String(ifname)} ${String(ifalias)}`).toSorted(),
    living.map((row) => `${row.interface.hostEnd} ${row.interface.owner}`).toSorted(),
    'links and attachments',
  );
  for (const flag of ['-4', '-6']) {
    const six = flag === '-6';
    const addresses = (of: readonly string[]): string[] => of.filter((address) => address.includes(':') === six);
    const routes = ipJson(node, flag, 'route', 'show', 'table', '7000', 'proto', '114');
    assert.deepEqual(
      routes.map(({ dst, dev }) => `${String(dst)} ${String(dev)}`).toSorted(),
      living.flatMap((row) => addresses(row.interface.addresses).map((address) => `${address} ${row.interface.hostEnd}`)).toSorted(),
      'routes and attachments',
    );
    const rules = ipJson(node, flag, 'rule', 'show').filter(({ protocol, priority }) => protocol === '114' && priority !== 720);
    assert.deepEqual(
      rules
        .map(
          ({ priority, src, srclen, table }) =>
            `${String(priority)} ${String(src)}/${String(typeof srclen === 'number' ? srclen : six ? 128 : 32)} ${String(table)}`,
        )
        .toSorted(),
      rulesOf(nics, six).toSorted(),
      'rules and NICs',
    );
  }
}

/** One to all Pods, and one for each block of a further NIC, as priority, source and table. */
function rulesOf(nics: readonly Stored['nics'][number][], six: boolean): string[] {
  if (six && !nics.some((nic) => nic.primary6 !== undefined)) return [];
  const ofNics = nics.flatMap(({ deviceIndex, primary4, primary6, blocks }) => {
    if (deviceIndex === 0) return [];
    const own = [primary4, primary6].filter((address) => address !== undefined).map((address) => hostCidr(parseIp(address)));
    return aggregate([...own, ...blocks.map((block) => parseCidr(block))]).map((block) => `740 ${block} ${7000 + deviceIndex}`);
  });
  const all = six ? 'all/128' : 'all/32';
  return [`700 ${all} 7000`, `730 ${all} 7064`, ...ofNics.filter((rule) => rule.includes(':') === six)];
}

/** The cloud has granted exactly what the node believes, and each Pod's addresses lie in blocks of its NIC. */
async function cloudAgrees(stage: Stage, node: TestNode): Promise<void> {
  const { rows, nics } = storedBy(node);
  const { items } = await stage.lab.api.call<{ items: CloudNic[] }>('GET', `/v1/nics?instance=${node.instance}`);
  const said = (of: readonly CloudNic[]): string[] => of.map(({ id, blocks }) => `${id} ${blocks.toSorted().join(' ')}`).toSorted();
  assert.deepEqual(said(nics), said(items), 'node and cloud');
  for (const row of rows) {
    const blocks = items.find(({ id }) => id === row.nic)?.blocks.map((block) => parseCidr(block)) ?? [];
    for (const address of row.interface.addresses) {
      assert.ok(
        blocks.some((block) => contains(block, parseIp(address))),
        `${address} of ${row.key} is assigned to ${row.nic}`,
      );
    }
  }
}

function ipJson(node: TestNode, ...args: string[]): Record<string, unknown>[] {
  const text = execFileSync('ip', ['-n', node.netns.slice(NAMED.length + 1), '-j', ...args], { encoding: 'utf8' });
  // ip prints nothing at all for an empty table. Its shape is what the caller asserts.
  return text.trim() === '' ? [] : (JSON.parse(text) as Record<string, unknown>[]);
}
