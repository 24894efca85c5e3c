/** Databases with everything that a first start makes, kept so that each bed begins with a copy: made once for each set of packages and sources. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Plan, services } from './configuration.ts';
import { lock, snapshots } from './places.ts';
import { startPython } from './processes.ts';
import { endServers, freePorts, layOut, logOf, relocate, startServers } from './servers.ts';

const LOCK_ms = 600_000;

/** The Debian packages whose versions decide what a snapshot looks like; scripts/setup-openstack.sh installs them. */
const packages = ['python3-keystone', 'python3-neutron', 'python3-nova', 'python3-placement', 'python3-sqlalchemy-ext'];

/** The folder of the snapshot for what is installed now; made when it is not there, which takes about half a minute. @throws Error in words. */
export async function snapshot(say: (text: string) => void): Promise<string> {
  const folder = join(snapshots, fingerprint());
  if (existsSync(folder)) return folder;
  mkdirSync(snapshots, { recursive: true });
  using _turn = await locked();
  if (existsSync(folder)) return folder;
  say('making the databases of Keystone, Neutron, Placement and Nova, once');
  for (const old of readdirSync(snapshots)) rmSync(join(snapshots, old), { recursive: true, force: true });
  const part = `${folder}.part`;
  await make(part);
  renameSync(part, folder);
  return folder;
}

/** Names what a snapshot depends on. */
function fingerprint(): string {
  const hash = createHash('sha256').update(installed());
  for (const source of ['configuration.ts', 'python/fpbed/databases.py', 'python/fpbed/nova.py'])
    hash.update(readFileSync(join(import.meta.dirname, source)));
  return hash.digest('hex').slice(0, 16);
}

/** Why there can be no bed here; undefined: there can. */
export function lacksOpenStack(): string | undefined {
  try {
    installed();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function installed(): string {
  try {
    return execFileSync('dpkg-query', ['-W', '-f', '${Package} ${Version} ${db:Status-Status}\n', ...packages], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
  } catch {
    throw new Error('OpenStack is not installed: run scripts/setup-openstack.sh');
  }
}

/** One process at a time; given back also when the process dies, because the lock is SQLite's. */
async function locked(): Promise<Disposable> {
  const database = new DatabaseSync(lock);
  for (const deadline = performance.now() + LOCK_ms; ; await sleep(200)) {
    try {
      database.exec('BEGIN EXCLUSIVE');
      return { [Symbol.dispose]: () => database.close() };
    } catch (error) {
      if (performance.now() < deadline) continue;
      database.close();
      throw error;
    }
  }
}

async function make(state: string): Promise<void> {
  const plan: Plan = { state, ports: await freePorts(), tokenTtl_s: 86_400, maxPairs: 10, quotaPort: 500, nova: true };
  layOut(plan);
  for (const folder of ['fernet', 'credential']) {
    // What `keystone-manage fernet_setup` would write: the next key and the one in use.
    for (const name of ['0', '1'])
      writeFileSync(join(state, 'etc', folder, name), randomBytes(32).toString('base64url') + '=', { mode: 0o600 });
  }
  await Promise.all(
    services.map(async (service) => {
      const name = `make-${service}`;
      const code = await startPython({ state, name, argv: ['databases', service, state], leashed: true });
      if (code !== 0) throw new Error(`the database of ${service} could not be made:\n${logOf(state, name)}`);
    }),
  );
  relocate(plan);
  try {
    // Once up, Nova's only host, its place in the cell and its resources are known for good.
    await startServers(plan, true);
  } finally {
    await endServers(state);
  }
  for (const name of readdirSync(join(state, 'db')).filter((file) => file.endsWith('.db'))) {
    using database = new DatabaseSync(join(state, 'db', name));
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }
  for (const folder of ['log', 'run', 'lock']) rmSync(join(state, folder), { recursive: true, force: true });
}
