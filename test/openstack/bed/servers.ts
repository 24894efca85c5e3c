/** The servers of one bed: their folder laid out, started, waited for, ended. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { configurationOf, type Plan, type Service, services } from './configuration.ts';
import { home } from './places.ts';
import { alive, endNoted, knownIn, startPython } from './processes.ts';

/** Nobody else's: beyond this machine's well-known ports, below those that the kernel gives to callers, so nobody takes one while a server is still loading. */
const FIRST_PORT = 21_000;
const BLOCKS = 900;
const READY_ms = 240_000;
/** Two beds that one process opens at the same time do not meet. */
let nextBlock = Math.floor(Math.random() * BLOCKS);

/** Ports that are free now. @throws Error when there are none. */
export async function freePorts(): Promise<Plan['ports']> {
  for (let step = 0; step < BLOCKS; step++) {
    const base = FIRST_PORT + (nextBlock++ % BLOCKS) * 10;
    const ports = { keystone: base, neutron: base + 1, placement: base + 2, nova: base + 3, metadata: base + 4 };
    const free = await Promise.all(Object.values(ports).map(isFree));
    if (!free.includes(false)) return ports;
  }
  throw new Error(`no ten ports in a row are free from ${FIRST_PORT} on`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Makes the folders of a bed and writes its configuration; with databases and keys of a snapshot when one is given. */
export function layOut(plan: Plan, snapshot?: string): void {
  for (const folder of ['db', 'etc/nova', 'etc/fernet', 'etc/credential', 'lock', 'log', 'run'])
    mkdirSync(join(plan.state, folder), { recursive: true });
  mkdirSync(home, { recursive: true });
  if (snapshot !== undefined)
    for (const folder of ['db', 'etc']) cpSync(join(snapshot, folder), join(plan.state, folder), { recursive: true });
  for (const [path, text] of Object.entries(configurationOf(plan))) writeFileSync(join(plan.state, path), text);
  for (const service of ['neutron', 'nova'])
    writeFileSync(join(plan.state, `etc/${service}-policy.yaml`), '# It has its defaults; a test may write rules here.\n');
  if (snapshot !== undefined) relocate(plan);
}

/** Base address of a service in the catalogue. */
export function urlOf({ ports }: Pick<Plan, 'ports'>, service: Service): string {
  const path: Partial<Record<Service, string>> = { keystone: '/v3', nova: '/v2.1' };
  return `http://127.0.0.1:${ports[service]}${path[service] ?? ''}`;
}

/** Writes into the databases where this bed is: its ports into Keystone's catalogue, its folder into Nova's list of cells. */
export function relocate(plan: Plan): void {
  using keystone = new DatabaseSync(join(plan.state, 'db/keystone.db'));
  const types: Readonly<Record<string, Service>> = { identity: 'keystone', network: 'neutron', placement: 'placement', compute: 'nova' };
  const all = servicesOf(plan);
  for (const [type, service] of Object.entries(types)) {
    // What does not run is not in the catalogue.
    if (!all.includes(service)) keystone.prepare('UPDATE service SET enabled = 0 WHERE type = ?').run(type);
    keystone
      .prepare('UPDATE endpoint SET url = ? WHERE service_id IN (SELECT id FROM service WHERE type = ?)')
      .run(urlOf(plan, service), type);
  }
  using nova = new DatabaseSync(join(plan.state, 'db/nova_api.db'));
  nova
    .prepare("UPDATE cell_mappings SET database_connection = 'sqlite:///' || ? || '/db/nova_' || name || '.db?timeout=30'")
    .run(plan.state);
}

/** Those that a bed of this plan has. */
const servicesOf = (plan: Plan): readonly Service[] => (plan.nova ? services : services.slice(0, 2));

/**
 * Starts what does not run and resolves when all of them answer. `leashed`: they end with this process, however it ends.
 * @throws Error with the end of its log when one of them ends instead.
 */
export async function startServers(plan: Plan, leashed: boolean): Promise<void> {
  const { state, ports } = plan;
  const argv: Readonly<Record<Service, readonly string[]>> = {
    keystone: ['serve', 'keystone', String(ports.keystone)],
    neutron: ['serve', 'neutron', String(ports.neutron)],
    placement: ['serve', 'placement', String(ports.placement)],
    nova: ['nova', join(state, 'etc/nova/nova.conf'), String(ports.nova), String(ports.metadata)],
  };
  const etc = join(state, 'etc');
  const env = {
    OS_KEYSTONE_CONFIG_DIR: etc,
    OS_KEYSTONE_CONFIG_FILES: 'keystone.conf',
    OS_NEUTRON_CONFIG_DIR: etc,
    OS_NEUTRON_CONFIG_FILES: 'neutron.conf',
    OS_PLACEMENT_CONFIG_DIR: etc,
  };
  const all = servicesOf(plan);
  for (const name of all) {
    if (runs(state, name)) continue;
    // Its end is seen by `answers`, and at the end of the bed by nobody.
    void startPython({ state, name, argv: argv[name], env, leashed }).catch(() => {});
  }
  await Promise.all(all.map((name) => answers(state, name, ports[name])));
}

/** Ends all of them. */
export async function endServers(state: string): Promise<void> {
  await Promise.all(services.map((name) => endNoted(state, name)));
}

/** Whether the process of that service runs. */
export function runs(state: string, name: Service): boolean {
  const known = knownIn(join(state, 'run', name));
  return known !== undefined && alive(known);
}

/** A server listens before it is loaded: the first question that is not refused is answered when it is ready. */
async function answers(state: string, name: Service, port: number): Promise<void> {
  for (const deadline = performance.now() + READY_ms; ; await sleep(50)) {
    const left_ms = deadline - performance.now();
    if (!runs(state, name)) throw new Error(`${name} ended; the end of its log:\n${logOf(state, name)}`);
    if (left_ms < 0) throw new Error(`${name} does not answer after ${READY_ms / 1000} s; the end of its log:\n${logOf(state, name)}`);
    if (await answered(port, left_ms)) return;
  }
}

function answered(port: number, patience_ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, path: '/', agent: false, timeout: patience_ms }, (response) => {
      response.resume();
      response.once('close', () => resolve(true));
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(false));
    asked.end();
  });
}

/** The last lines of a log of the bed. */
export function logOf(state: string, name: string): string {
  return readFileSync(join(state, 'log', `${name}.log`), 'utf8')
    .split('\n')
    .slice(-25)
    .join('\n');
}
