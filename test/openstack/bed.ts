/**
 * A real OpenStack on loopback: Keystone, Neutron, Placement and Nova as Debian packages them (scripts/setup-openstack.sh), each bed with folder,
 * ports and databases of its own. Stand-ins are only at the edges: no broker, no agents, Nova's own fake hypervisor, no image service.
 *
 *     await using bed = await openStackBed();
 *
 * By hand: `node test/openstack/bed.ts up|down|status DIR`. Tests use such a bed instead of one of their own with FLATPOD_OPENSTACK_BED=DIR.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { METADATA_SECRET, type Plan, type Service, services } from './bed/configuration.ts';
import { beds } from './bed/places.ts';
import { alive, knownIn, note } from './bed/processes.ts';
import { endServers, freePorts, layOut, logOf, runs, startServers, urlOf } from './bed/servers.ts';
import { snapshot } from './bed/snapshot.ts';

/** What a bed may be told. */
export interface BedOptions {
  /** URL that hears of every change before Neutron answers its caller (bed/python/fpbed/mechanism.py). Absent: nobody. */
  readonly hook?: string;
  /** Placement and Nova too; true when absent. */
  readonly nova?: boolean;
  /** How long a token is good for, in seconds; a day when absent. */
  readonly tokenTtl_s?: number;
  /** Neutron's limit of address pairs on one port; 10 when absent, as in Neutron. */
  readonly maxPairs?: number;
  /** Seconds between the binding of a port and its status ACTIVE; 0 when absent. */
  readonly activeDelay_s?: number;
  /** Ports a project may have; 500 when absent, as in Neutron. */
  readonly quotaPort?: number;
}

/** Who may log in. `admin` is an administrator; `demo` an ordinary member of its own project. */
export const users = {
  admin: { username: 'admin', password: 'secret', project: 'admin' },
  demo: { username: 'demo', password: 'demo', project: 'demo' },
} as const;
export type UserName = keyof typeof users;

/** A running bed. It ends, and its folder goes, with the disposal, and in any case with the process that opened it. */
export interface OpenStackBed extends AsyncDisposable {
  /** Its folder. */
  readonly state: string;
  /** Keystone's, with `/v3`. */
  readonly authUrl: string;
  readonly region: string;
  /** Path of a clouds.yaml with both users, each under its name. */
  readonly cloudsYaml: string;
  /** Nova's metadata service, without Neutron's proxy before it: the caller signs with `metadataSecret`. */
  readonly metadataUrl: string;
  readonly metadataSecret: string;
  /** `OS_*` variables of that user. */
  environment(user: UserName): Record<string, string>;
  /** From the next change on that URL is told; undefined: nobody. */
  setHook(url: string | undefined): void;
  setActiveDelay(seconds: number): void;
  /** Process of a service: a test may stop it (SIGSTOP) and let it go on. */
  pidOf(service: Service): number;
  /** The end of a service's log. */
  log(service: Service): string;
}

let opened = 0;

/**
 * Starts a bed; about ten seconds, half a minute more the first time ever.
 * @throws Error in words: packages that are missing, a service that does not start and the end of its log.
 */
export async function openStackBed(options: BedOptions = {}): Promise<OpenStackBed> {
  const given = process.env['FLATPOD_OPENSTACK_BED'];
  // The other options need servers that were started with them.
  const fitsAny = Object.keys(options).every((name) => name === 'hook' || name === 'activeDelay_s');
  if (given !== undefined && fitsAny) return attached(resolve(given), options);
  await sweep();
  const state = join(beds, `${process.pid}-${++opened}`);
  mkdirSync(join(state, 'run'), { recursive: true });
  note(join(state, 'run/owner'), process.pid);
  try {
    const plan = await start(state, options, true, () => {});
    return faceOf(plan, async () => {
      await endServers(state);
      rmSync(state, { recursive: true, force: true });
    });
  } catch (error) {
    await endServers(state);
    rmSync(state, { recursive: true, force: true });
    throw error;
  }
}

async function start(state: string, options: BedOptions, leashed: boolean, say: (text: string) => void): Promise<Plan> {
  const { tokenTtl_s = 86_400, maxPairs = 10, quotaPort = 500, nova = true } = options;
  const from = await snapshot(say);
  const plan: Plan = { state, ports: await freePorts(), tokenTtl_s, maxPairs, quotaPort, nova };
  layOut(plan, from);
  set(state, options);
  writeFileSync(join(state, 'plan.json'), JSON.stringify(plan));
  writeFileSync(join(state, 'clouds.yaml'), cloudsYaml(plan));
  await startServers(plan, leashed);
  return plan;
}

/** A bed that somebody else keeps running. */
function attached(state: string, options: BedOptions): OpenStackBed {
  const plan = planOf(state);
  set(state, options);
  return faceOf(plan, async () => set(state, {}));
}

function set(state: string, { hook = '', activeDelay_s = 0 }: BedOptions): void {
  writeFileSync(join(state, 'hook'), hook);
  writeFileSync(join(state, 'active-delay'), String(activeDelay_s));
}

/** @throws Error when no bed was started there. */
function planOf(state: string): Plan {
  const file = join(state, 'plan.json');
  if (!existsSync(file)) throw new Error(`there is no bed in ${state}`);
  return JSON.parse(readFileSync(file, 'utf8')) as Plan; // written by start() above
}

function faceOf(plan: Plan, end: () => Promise<void>): OpenStackBed {
  const { state, ports } = plan;
  return {
    state,
    authUrl: urlOf(plan, 'keystone'),
    region: 'RegionOne',
    cloudsYaml: join(state, 'clouds.yaml'),
    metadataUrl: `http://127.0.0.1:${ports.metadata}`,
    metadataSecret: METADATA_SECRET,
    environment: (user) => environmentOf(plan, user),
    setHook: (url) => writeFileSync(join(state, 'hook'), url ?? ''),
    setActiveDelay: (seconds) => writeFileSync(join(state, 'active-delay'), String(seconds)),
    pidOf: (service) => knownIn(join(state, 'run', service))?.pid ?? 0,
    log: (service) => logOf(state, service),
    [Symbol.asyncDispose]: end,
  };
}

function environmentOf(plan: Plan, user: UserName): Record<string, string> {
  const { username, password, project } = users[user];
  return {
    OS_AUTH_URL: urlOf(plan, 'keystone'),
    OS_IDENTITY_API_VERSION: '3',
    OS_USERNAME: username,
    OS_PASSWORD: password,
    OS_PROJECT_NAME: project,
    OS_USER_DOMAIN_NAME: 'Default',
    OS_PROJECT_DOMAIN_NAME: 'Default',
    OS_REGION_NAME: 'RegionOne',
  };
}

/** JSON is YAML. */
function cloudsYaml(plan: Plan): string {
  const cloud = ({ username, password, project }: (typeof users)[UserName]): object => ({
    region_name: 'RegionOne',
    auth: {
      auth_url: urlOf(plan, 'keystone'),
      username,
      password,
      project_name: project,
      user_domain_name: 'Default',
      project_domain_name: 'Default',
    },
  });
  return `${JSON.stringify({ clouds: { admin: cloud(users.admin), demo: cloud(users.demo) } }, undefined, 2)}\n`;
}

/** Removes the beds of processes that ended without doing so. */
async function sweep(): Promise<void> {
  for (const name of existsSync(beds) ? readdirSync(beds) : []) {
    const state = join(beds, name);
    const owner = knownIn(join(state, 'run/owner'));
    if (owner === undefined || alive(owner)) continue;
    await endServers(state);
    rmSync(state, { recursive: true, force: true });
  }
}

async function command([verb, folder]: readonly string[]): Promise<number> {
  const say = (text: string): void => console.error(`bed: ${text}`);
  if (verb === undefined || !['up', 'down', 'status'].includes(verb) || folder === undefined) {
    say('use: node test/openstack/bed.ts up|down|status DIR');
    return 2;
  }
  const state = resolve(folder);
  const isThere = existsSync(join(state, 'plan.json'));
  if (verb === 'up') {
    const plan = isThere ? planOf(state) : await start(state, {}, false, say);
    if (isThere) await startServers(plan, false);
    for (const [name, value] of Object.entries(environmentOf(plan, 'admin'))) console.log(`export ${name}=${value}`);
    say(`it runs; also: export OS_CLIENT_CONFIG_FILE=${join(state, 'clouds.yaml')} OS_CLOUD=admin, or demo`);
    return 0;
  }
  if (!isThere) {
    say(`there is no bed in ${state}`);
    return verb === 'down' ? 0 : 1;
  }
  if (verb === 'down') {
    await endServers(state);
    rmSync(state, { recursive: true, force: true });
    return 0;
  }
  const plan = planOf(state);
  for (const name of services) console.log(`${name.padEnd(10)} ${runs(state, name) ? urlOf(plan, name) : 'does not run'}`);
  return services.every((name) => runs(state, name)) ? 0 : 1;
}

if (import.meta.main) process.exitCode = await command(process.argv.slice(2));
