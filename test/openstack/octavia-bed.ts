/**
 * Octavia beside a bed: its own API as Debian packages it, on the bed's Keystone and Neutron. In place of its workers and amphorae is a provider of the bed's
 * (bed/python/fpbed/octavia.py). A bed without it pays nothing for it.
 *
 *     await using bed = await openStackBed({ nova: false });
 *     await using octavia = await octaviaBeside(bed);
 */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endNoted, startPython } from './bed/processes.ts';
import { logOf } from './bed/servers.ts';
import type { OpenStackBed } from './bed.ts';
import { type Answer, as, ask, type Call } from './client.ts';

/** See the head of this file. */
export interface OctaviaBed extends AsyncDisposable {
  /** As that user. */
  call(user: 'admin' | 'demo'): Promise<Call>;
  /** From the next change on that URL is told what to carry; undefined: nobody. */
  setHook(url: string | undefined): void;
  /** How long a change stays PENDING_*. */
  setDelay(seconds: number): void;
}

const READY_ms = 120_000;

/** Starts it, about ten seconds. `most`: of a list in one answer. @throws Error with the end of its log */
export async function octaviaBeside(bed: OpenStackBed, most = 1000): Promise<OctaviaBed> {
  const { state } = bed;
  // A bed has ten ports in a row, of which it uses five.
  const port = Number(new URL(bed.authUrl).port) + 5;
  const url = `http://127.0.0.1:${port}`;
  writeFileSync(join(state, 'etc/octavia.conf'), configuration(bed, url, most));
  writeFileSync(join(state, 'octavia-hook'), '');
  writeFileSync(join(state, 'octavia-delay'), '');
  const open = new AsyncDisposableStack();
  open.defer(async () => {
    await endNoted(state, 'octavia');
    for (const name of ['octavia.db', 'octavia.db-wal', 'octavia.db-shm']) rmSync(join(state, 'db', name), { force: true });
  });
  try {
    open.defer(await catalogued(bed, url));
    let code: number | undefined;
    const argv = ['octavia', join(state, 'etc/octavia.conf'), String(port)];
    startPython({ state, name: 'octavia', argv, leashed: true }).then(
      (ended) => (code = ended),
      () => (code = 1),
    );
    for (const deadline = performance.now() + READY_ms; ; await sleep(50)) {
      if (code !== undefined || performance.now() > deadline)
        throw new Error(`octavia ${code === undefined ? 'does not answer' : 'ended'}; the end of its log:\n${logOf(state, 'octavia')}`);
      if (
        await ask(url, 'GET').then(
          () => true,
          () => false,
        )
      )
        break;
    }
  } catch (error) {
    await open.disposeAsync();
    throw error;
  }
  return {
    async call(user) {
      const { token } = await as(bed, user);
      return (method, path, body, headers = {}): Promise<Answer> =>
        ask(`${url}/v2.0/lbaas${path}`, method, body, { 'x-auth-token': token, ...headers });
    },
    setHook: (to) => writeFileSync(join(state, 'octavia-hook'), to ?? ''),
    setDelay: (seconds) => writeFileSync(join(state, 'octavia-delay'), String(seconds)),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** Puts it into Keystone's catalogue; answers with the way to take it out. */
async function catalogued(bed: OpenStackBed, url: string): Promise<() => Promise<void>> {
  const { identity } = await as(bed, 'admin');
  const made = await identity('POST', '/services', { service: { type: 'load-balancer', name: 'octavia' } });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const { id } = made.body.service;
  for (const kind of ['public', 'internal', 'admin']) {
    const endpoint = { service_id: id, interface: kind, region_id: bed.region, url };
    assert.equal((await identity('POST', '/endpoints', { endpoint })).status, 201);
  }
  return async () => void (await identity('DELETE', `/services/${id}`));
}

function configuration({ state, authUrl, region }: OpenStackBed, url: string, most: number): string {
  const account = [
    'auth_type = password',
    `auth_url = ${authUrl}`,
    'username = openstack',
    'password = openstack',
    'project_name = service',
    'user_domain_name = Default',
    'project_domain_name = Default',
    `region_name = ${region}`,
  ];
  const sections: Record<string, readonly string[]> = {
    DEFAULT: [
      'use_stderr = true',
      'transport_url = fake://',
      'default_log_levels = octavia=WARNING,sqlalchemy=WARNING,keystonemiddleware=WARNING',
    ],
    api_settings: [
      'auth_strategy = keystone',
      'enabled_provider_drivers = fpbed:of the bed',
      'default_provider_driver = fpbed',
      `api_base_uri = ${url}`,
      `pagination_max_limit = ${most}`,
    ],
    database: [`connection = sqlite:///${join(state, 'db/octavia.db')}?timeout=30`, 'sqlite_synchronous = false'],
    controller_worker: [
      'network_driver = allowed_address_pairs_driver',
      'amphora_driver = amphora_noop_driver',
      'compute_driver = compute_noop_driver',
    ],
    networking: ['max_retries = 3'],
    neutron: [`region_name = ${region}`],
    oslo_concurrency: [`lock_path = ${join(state, 'lock')}`],
    service_auth: account,
    keystone_authtoken: [...account, 'service_type = load-balancer', 'service_token_roles_required = true'],
  };
  return Object.entries(sections)
    .map(([name, lines]) => [`[${name}]`, ...lines, ''].join('\n'))
    .join('\n');
}
