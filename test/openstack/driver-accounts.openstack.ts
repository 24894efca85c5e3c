/**
 * The driver by the accounts that docs/clouds/openstack.md offers, before a real Keystone: an application credential with role member, and entries of clouds.yaml;
 * with tokens that live for seconds, so that what is done here outlives several of them.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';
import type { CreateNic, SubnetId } from '../../src/cloud/cloud.ts';
import type { CredentialSource } from '../../src/cloud/openstack/credentials.ts';
import { type OpenStackCloud, openStackCloud } from '../../src/cloud/openstack/openstack.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { eventually } from '../life/lab.ts';
import { applicationCredential, type Credential, revoke, variablesOf } from './accounts.ts';
import { type OpenStackBed, openStackBed } from './bed.ts';
import { as, make, type Session } from './client.ts';

/** Half of it is for the request that a token is used with last: beside others on the machine Neutron takes its time. */
const TOKEN_s = 12;
let bed: OpenStackBed;
let subnet: SubnetId;
let made = 0;

/** Its token ends as soon as all others do: a session for each call. */
const demo = (): Promise<Session> => as(bed, 'demo');
const driver = (credentials: CredentialSource): OpenStackCloud => openStackCloud({ credentials, deadline_ms: 120_000 });
const request = (): CreateNic => ({
  clientToken: `accounts-${process.pid}-${++made}`,
  subnet,
  securityGroups: [],
  tags: { 'flatpod.dev/cluster': 'accounts' },
  description: 'accounts',
});

interface AccessRule {
  readonly service: string;
  readonly method: string;
  readonly path: string;
}

/** Of demo's, with `--access-rules` where there are any. */
const credential = async (access_rules?: readonly AccessRule[]): Promise<Credential> =>
  applicationCredential(await demo(), `flatpod-${++made}`, access_rules && { access_rules });

/** Those of docs/clouds/openstack.md. */
function toldRules(): AccessRule[] {
  const page = readFileSync(join(import.meta.dirname, '../../docs/clouds/openstack.md'), 'utf8');
  const [, text] = /--access-rules[^]*?```json\n([^]*?)```/.exec(page) ?? assert.fail('it has them');
  return JSON.parse(text ?? '') as AccessRule[]; // as the page has them: Keystone looks at each
}

/** All that needs a permission, and the end of the token in between. */
async function worksBeyondATokensEnd(cloud: OpenStackCloud): Promise<void> {
  assert.deepEqual(await cloud.missingPermissions([subnet]), []);
  const nic = await cloud.createNic(request());
  const given = await cloud.assign(nic.id, { prefixes4: 1, addresses4: 1 });
  assert.equal(given.length, 2);
  // Now there is an interface of which the rules for changes can be asked.
  assert.deepEqual(await cloud.missingPermissions([subnet]), []);
  await pause(TOKEN_s * 1000 + 500);
  await cloud.unassign(nic.id, given);
  assert.deepEqual((await cloud.nics({ ids: [nic.id] }))[0]?.blocks, []);
  await cloud.deleteNic(nic.id);
  assert.deepEqual(await cloud.nics({ tags: { 'flatpod.dev/cluster': 'accounts' } }), []);
}

// A suite, so that the bed is there for these tests alone. It is never one that files share: their tokens live for a day.
describe('the driver by each kind of account', () => {
  before(async () => {
    bed = await openStackBed({ tokenTtl_s: TOKEN_s });
    const { id: network_id } = await make(await demo(), 'network', { name: 'accounts' });
    subnet = (await make(await demo(), 'subnet', { network_id, ip_version: 4, cidr: '10.20.0.0/24', enable_dhcp: false })).id;
  });
  after(async () => bed?.[Symbol.asyncDispose]());

  test('an application credential with role member lacks nothing, works on when its tokens end, and once it is revoked it says so', async () => {
    const member = await credential();
    using cloud = driver({ variables: variablesOf(bed, member) });
    await worksBeyondATokensEnd(cloud);
    await revoke(await demo(), member);
    let refused: unknown;
    const isRefused = async (): Promise<boolean> => {
      refused = await cloud.nics({ tags: { 'flatpod.dev/cluster': 'accounts' } }).catch((error: unknown) => error);
      return isFailure(refused);
    };
    await eventually('it is refused', isRefused, 30);
    assert.ok(isFailure(refused, 'cloudCredentials'), String(refused));
    assert.match(refused.details, new RegExp(`application credential ${member.id}`));
    assert.ok(!inspect(refused, { depth: 9 }).includes(member.secret));
  });

  test('the access rules that the page tells leave nothing out; what others leave out is named, and done without where it can be', async () => {
    const rules = toldRules();
    const whole = await credential(rules);
    using cloud = driver({ variables: variablesOf(bed, whole) });
    await worksBeyondATokensEnd(cloud);
    const lists = ['ports', 'ports/*', 'networks', 'subnets', 'extensions/*', 'trunks'];
    const usual = lists.map((what): AccessRule => ({ service: 'network', method: 'GET', path: `/v2.0/${what}` }));
    const less = await credential([...usual, ...rules.filter(({ method, path }) => method !== 'GET' && !path.includes('trunks'))]);
    using narrow = driver({ variables: variablesOf(bed, less) });
    assert.equal((await narrow.subnets([subnet]))[0]?.free4, (await cloud.subnets([subnet]))[0]?.free4);
    assert.deepEqual(await narrow.shortages(), []);
    const missing = await narrow.missingPermissions([subnet]);
    const what = `is POST /v2.0/trunks among the access rules of application credential ${less.id}?`;
    assert.deepEqual(missing, [`a right: 401 with a token given a moment ago: ${what}`]);
    for (const one of [whole, less]) await revoke(await demo(), one);
    const refused = async (): Promise<unknown> => await narrow.shortages().catch((error: unknown) => error);
    await eventually('it is told as revoked', async () => isFailure(await refused(), 'cloudCredentials'), 60);
  });

  test('a user of clouds.yaml lacks nothing, and works on when the tokens end', async () => {
    using cloud = driver({ variables: {}, cloud: 'demo', file: bed.cloudsYaml });
    await worksBeyondATokensEnd(cloud);
  });

  test('an application credential of clouds.yaml, by its name and its user, may be replaced by another in the file: the old one is revoked, and nothing is refused', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'fp-accounts-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'clouds.yaml');
    const write = ({ name, secret }: Credential): void => {
      const secrets = { application_credential_name: name, application_credential_secret: secret };
      const auth = { auth_url: bed.authUrl, username: 'demo', user_domain_name: 'Default', ...secrets };
      const entry = { auth_type: 'v3applicationcredential', region_name: bed.region, auth };
      writeFileSync(`${file}.new`, JSON.stringify({ clouds: { pods: entry } }));
      renameSync(`${file}.new`, file);
    };
    const [first, second] = [await credential(), await credential()];
    write(first);
    using cloud = driver({ variables: {}, cloud: 'pods', file });
    await worksBeyondATokensEnd(cloud);
    write(second);
    // Files are looked at once a second.
    await pause(1500);
    await revoke(await demo(), first);
    await worksBeyondATokensEnd(cloud);
    await revoke(await demo(), second);
  });
});
