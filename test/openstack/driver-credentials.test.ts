/** Who logs in where: variables, files, tokens that end, credentials that are rotated; and that no secret is ever shown. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import type { SubnetId } from '../../src/cloud/cloud.ts';
import type { CredentialSource } from '../../src/cloud/openstack/credentials.ts';
import { readAccount } from '../../src/cloud/openstack/credentials.ts';
import { openStackCloud } from '../../src/cloud/openstack/openstack.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { fails } from '../cloud/scripted-server.ts';
import { alice, json, liar } from './driver-liar.ts';

interface Folder extends Disposable {
  readonly path: string;
  write(name: string, text: string): string;
}

function folder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'fp-openstack-'));
  return {
    path,
    write(name, text) {
      const file = join(path, name);
      mkdirSync(join(file, '..'), { recursive: true });
      // As Kubernetes does with a Secret: another file in its place.
      writeFileSync(`${file}.new`, text);
      renameSync(`${file}.new`, file);
      return file;
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

const empty = (response: Parameters<ReturnType<typeof json>>[0]): void => json({ ports: [] })(response);
const refusedWith =
  (words: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(isFailure(error, 'cloudCredentials'), String(error));
    assert.match(error.details, words);
    return true;
  };
const bodyOf = (source: CredentialSource): unknown => readAccount(source).account.auth();

test('a password logs in by names with their domains, or by ids, and for a project', () => {
  const url = { OS_AUTH_URL: 'http://keystone:5000' };
  const names = { OS_USERNAME: 'alice', OS_PASSWORD: 's', OS_PROJECT_NAME: 'p', OS_USER_DOMAIN_NAME: 'D', OS_PROJECT_DOMAIN_ID: 'd' };
  assert.deepEqual(bodyOf({ variables: { ...url, ...names } }), {
    identity: { methods: ['password'], password: { user: { name: 'alice', domain: { name: 'D' }, password: 's' } } },
    scope: { project: { name: 'p', domain: { id: 'd' } } },
  });
  assert.deepEqual(bodyOf({ variables: { ...url, OS_USER_ID: 'u', OS_PASSWORD: 's', OS_TENANT_ID: 'p' } }), {
    identity: { methods: ['password'], password: { user: { id: 'u', password: 's' } } },
    scope: { project: { id: 'p' } },
  });
});

test('an application credential logs in by id or by name with its user, and asks for no scope', () => {
  const secret = { OS_AUTH_URL: 'http://keystone:5000', OS_APPLICATION_CREDENTIAL_SECRET: 's' };
  const body = (credential: object): object => ({ identity: { methods: ['application_credential'], application_credential: credential } });
  assert.deepEqual(bodyOf({ variables: { ...secret, OS_APPLICATION_CREDENTIAL_ID: 'c' } }), body({ id: 'c', secret: 's' }));
  const named = { ...secret, OS_APPLICATION_CREDENTIAL_NAME: 'n', OS_USERNAME: 'alice', OS_AUTH_TYPE: 'v3applicationcredential' };
  assert.deepEqual(bodyOf({ variables: named }), body({ name: 'n', user: { name: 'alice', domain: { id: 'default' } }, secret: 's' }));
});

test('the address of Keystone may come with its version or without', () => {
  for (const url of ['http://k:5000', 'http://k:5000/', 'http://k:5000/v3', 'http://k:5000/v3/', 'http://k:5000/v2.0'])
    assert.equal(readAccount({ variables: { ...alice(url) } }).account.authUrl, 'http://k:5000/v3');
  assert.equal(readAccount({ variables: { ...alice('https://k/identity') } }).account.authUrl, 'https://k/identity/v3');
});

test('a cloud of clouds.yaml is read with secure.yaml merged over it, and region and interface of the environment win', () => {
  using home = folder();
  const file = home.write(
    'clouds.yaml',
    'clouds:\n  east:\n    region_name: E\n    interface: internalURL\n    auth: {auth_url: "http://k:5000", username: bob, project_name: p, project_domain_name: D}\n',
  );
  home.write('secure.yaml', 'clouds: {east: {auth: {password: s}}}\n');
  const { account } = readAccount({ variables: { OS_CLOUD: 'east', OS_REGION_NAME: 'W' }, file });
  assert.deepEqual([account.region, account.interface, account.who], ['W', 'internal', 'user bob of project p']);
  assert.match(JSON.stringify(account.auth()), /"password":"s"/);
  home.write('.config/openstack/clouds.yaml', 'clouds: {}\n');
  assert.throws(() => readAccount({ variables: { HOME: home.path }, cloud: 'west' }), refusedWith(/has no cloud west/));
});

test('what is missing or cannot be used is named, and no value is quoted', () => {
  using home = folder();
  const without = (name: string): Record<string, string | undefined> => ({ ...alice('http://k:5000'), [name]: undefined });
  for (const name of ['OS_AUTH_URL', 'OS_USERNAME', 'OS_PASSWORD', 'OS_PROJECT_NAME'])
    assert.throws(() => readAccount({ variables: without(name) }), refusedWith(new RegExp(`^${name} is not set`)));
  assert.throws(() => readAccount({ variables: alice('k:5000') }), refusedWith(/OS_AUTH_URL is no http/));
  assert.throws(() => readAccount({ variables: { ...alice('http://k'), OS_INSECURE: 'true' } }), refusedWith(/OS_CACERT/));
  assert.throws(() => readAccount({ variables: { ...alice('http://k'), OS_AUTH_TYPE: 'v3oidcpassword' } }), refusedWith(/not offered/));
  assert.throws(() => readAccount({ variables: { ...alice('http://k'), OS_CACERT: '/nowhere/ca.pem' } }), refusedWith(/ca\.pem.*ENOENT/));
  assert.throws(() => readAccount({ variables: {}, cloud: 'x', file: '/nowhere/clouds.yaml' }), refusedWith(/ENOENT/));
  for (const text of [
    'clouds: {east: {auth: {password: opensesame',
    'clouds: [opensesame]',
    'clouds: {east: opensesame}',
    'clouds: {east: {auth: opensesame}}',
  ]) {
    const error = thrownBy(() => readAccount({ variables: {}, cloud: 'east', file: home.write('clouds.yaml', text) }));
    assert.ok(isFailure(error, 'cloudCredentials'), String(error));
    assert.ok(!inspect(error, { depth: 9 }).includes('opensesame'), inspect(error));
  }
});

function thrownBy(body: () => unknown): unknown {
  try {
    return body();
  } catch (error) {
    return error;
  }
}

test('one login serves all calls, also those that wait for it together', async () => {
  await using one = await liar();
  one.answer = empty;
  const list = () => one.cloud.nics({ tags: { a: 'b' } });
  await Promise.all([list(), list(), list()]);
  await list();
  assert.equal(one.logins.length, 1);
});

test('a 401 means one new login and the same call again; one more is no permission', async () => {
  await using one = await liar();
  one.answer = (response, { headers }) => (headers['x-auth-token'] === 'token-1' ? json({}, 401)(response) : empty(response));
  assert.deepEqual(await one.cloud.nics({ tags: { a: 'b' } }), []);
  assert.equal(one.logins.length, 2);
  one.answer = json({ error: { message: 'The request you have made requires authentication.' } }, 401);
  await assert.rejects(one.cloud.nics({ tags: { a: 'b' } }), (error: unknown) => isFailure(error, 'cloudCredentials'));
  assert.equal(one.logins.length, 3);
});

test('what the access rules of an application credential leave out is no permission, and costs one login; a credential that was revoked is still told as one', async () => {
  await using one = await liar();
  const { OS_USERNAME: _, OS_PASSWORD: _password, ...where } = alice(one.authUrl);
  const variables = { ...where, OS_APPLICATION_CREDENTIAL_ID: 'c', OS_APPLICATION_CREDENTIAL_SECRET: 'opensesame' };
  using cloud = openStackCloud({ credentials: { variables } });
  const id = 'a0000000-0000-4000-8000-000000000001' as SubnetId;
  const pool = { start: '10.20.0.2', end: '10.20.0.5' };
  const subnet = { id, network_id: 'n1', cidr: '10.20.0.0/24', gateway_ip: null, allocation_pools: [pool] };
  const lacks = json({ error: { message: 'The request you have made requires authentication.' } }, 401);
  one.answer = (response, { method, path }) => {
    if (method !== 'GET' || /availabilities|quotas|extensions/.test(path)) return lacks(response);
    return json({ ports: [], subnets: [subnet] })(response);
  };
  for (let round = 0; round < 3; round++) assert.equal((await cloud.subnets([id]))[0]?.free4, 4);
  assert.equal(one.logins.length, 2);
  for (let round = 0; round < 3; round++) {
    assert.deepEqual(await cloud.shortages(), []);
    await cloud.subnets([id]);
  }
  assert.equal(one.logins.length, 3, 'one for each path that is left out');
  const missing = await cloud.missingPermissions([id]);
  const told = [
    'GET /network/v2.0/extensions/tag-ports-during-bulk-creation',
    'POST /network/v2.0/ports',
    'GET /network/v2.0/extensions/trunk',
  ];
  assert.deepEqual(
    missing,
    told.map((what) => `a right: 401 with a token given a moment ago: is ${what} among the access rules of application credential c?`),
  );
  const request = { clientToken: 't', subnet: id, securityGroups: [], tags: {}, description: '' };
  await assert.rejects(cloud.createNic(request), fails('cloudDenied', /is GET \S+-creation among the access rules/));
  const balancers = cloud.loadBalancers({ algorithm: 'ROUND_ROBIN', monitor: true });
  assert.match((await balancers.missingPermissions?.())?.join() ?? '', /is POST \/load-balancer\/v2\.0\/lbaas\/loadbalancers among/);
  one.login = json({ error: { code: 404, message: 'Could not find Application Credential: c.', title: 'Not Found' } }, 404);
  one.answer = lacks;
  await assert.rejects(cloud.nics({ tags: { a: 'b' } }), refusedWith(/was it revoked/));
});

test('a token lives as long as Keystone says, also when our clock is a day off', async () => {
  await using one = await liar();
  one.answer = empty;
  const day_ms = 86_400_000;
  for (const off_ms of [-day_ms, day_ms]) {
    one.clockAhead_ms = off_ms;
    using cloud = openStackCloud({ credentials: { variables: alice(one.authUrl) } });
    one.logins.length = 0;
    await cloud.nics({ tags: { a: 'b' } });
    await cloud.nics({ tags: { a: 'b' } });
    assert.equal(one.logins.length, 1);
  }
});

test('a token that is about to end is not used any more', async () => {
  await using one = await liar();
  one.answer = empty;
  one.life_ms = 0;
  await one.cloud.nics({ tags: { a: 'b' } });
  await one.cloud.nics({ tags: { a: 'b' } });
  assert.equal(one.logins.length, 2);
});

test('what Keystone refuses is told as what it is', async () => {
  await using one = await liar();
  for (const [answer, kind] of [
    [json({ error: { code: 401, message: 'no' } }, 401), 'cloudCredentials'],
    [json({ error: { code: 403, message: 'no' } }, 403), 'cloudDenied'],
    [json({ error: { code: 404, message: 'no' } }, 404), 'cloudInvalid'],
    [json({ error: { code: 429, message: 'no' } }, 429), 'cloudThrottled'],
    [json({ error: { code: 500, message: 'no' } }, 500), 'cloudUnavailable'],
    [json({ token: {} }, 201, { 'x-subject-token': 't' }), 'cloudGarbled'],
    [json({ token: {} }, 201), 'cloudGarbled'],
    [(response: Parameters<ReturnType<typeof json>>[0]) => void response.writeHead(200).end('<html>'), 'cloudGarbled'],
    [(response: Parameters<ReturnType<typeof json>>[0]) => void response.writeHead(503).end('<html>'), 'cloudUnavailable'],
  ] as const) {
    one.login = answer;
    const error: unknown = await one.cloud.network().catch((thrown: unknown) => thrown);
    assert.ok(isFailure(error, kind), `${kind}: ${String(error)}`);
    assert.ok(!inspect(error, { depth: 9 }).includes('opensesame'));
  }
});

test('an application credential that Keystone knows no more is of no use, and a server that is no Keystone is another mistake', async () => {
  await using one = await liar();
  const { OS_USERNAME: _, OS_PASSWORD: _password, ...where } = alice(one.authUrl);
  using cloud = openStackCloud({
    credentials: { variables: { ...where, OS_APPLICATION_CREDENTIAL_ID: 'c', OS_APPLICATION_CREDENTIAL_SECRET: 'opensesame' } },
  });
  one.login = json({ error: { code: 404, message: 'Could not find Application Credential: c.', title: 'Not Found' } }, 404);
  await assert.rejects(cloud.network(), refusedWith(/^404: application credential c is not there: was it revoked/));
  one.login = json({ message: 'no such page' }, 404);
  await assert.rejects(cloud.network(), (error: unknown) => isFailure(error, 'cloudInvalid'));
});

test('a region or an interface that the catalogue has not is refused with those it has', async () => {
  await using one = await liar();
  const ask = async (more: Record<string, string | undefined>): Promise<unknown> => {
    using cloud = openStackCloud({ credentials: { variables: { ...alice(one.authUrl), ...more } } });
    return await cloud.nics({ tags: { a: 'b' } }).catch((thrown: unknown) => thrown);
  };
  for (const [more, words] of [
    [{ OS_REGION_NAME: 'R9' }, /no public address of the network service in region R9; it has: public in R1, public in R2/],
    [{ OS_INTERFACE: 'admin' }, /no admin address/],
    [{ OS_REGION_NAME: undefined }, /several regions, name one: R1, R2/],
  ] as const) {
    const error = await ask(more);
    assert.ok(isFailure(error, 'cloudInvalid'), String(error));
    assert.match(error.details, words);
  }
});

test('credentials that are rotated in their file are used without a restart', async () => {
  using home = folder();
  await using one = await liar();
  one.answer = empty;
  const write = (password: string): string =>
    home.write(
      'clouds.yaml',
      JSON.stringify({
        clouds: { c: { region_name: 'R1', auth: { auth_url: one.authUrl, username: 'alice', password, project_name: 'p' } } },
      }),
    );
  const file = write('first');
  using cloud = openStackCloud({ credentials: { variables: {}, cloud: 'c', file } });
  await cloud.nics({ tags: { a: 'b' } });
  write('second');
  const until_ms = Date.now() + 60_000;
  // Files are looked at once a second.
  while (one.logins.length < 2 && Date.now() < until_ms) await cloud.nics({ tags: { a: 'b' } });
  assert.deepEqual(
    one.logins.map((body) => /"password":"(\w+)"/.exec(body)?.[1]),
    ['first', 'second'],
  );
});

test('neither a secret nor a token is in anything that is shown', async () => {
  await using one = await liar();
  one.answer = json({ NeutronError: { type: 'PolicyNotAuthorized', message: 'no', detail: '' } }, 403);
  const error: unknown = await one.cloud.nics({ tags: { a: 'b' } }).catch((thrown: unknown) => thrown);
  const shown = [error, one.cloud, readAccount({ variables: alice(one.authUrl) })].map(
    (value) => inspect(value, { depth: 12, showHidden: true }) + JSON.stringify(value),
  );
  assert.ok(
    shown.every((text) => !text.includes('opensesame') && !text.includes('token-1')),
    shown.join('\n'),
  );
});
