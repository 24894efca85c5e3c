/** Accounts that may do less than demo, or nothing any more. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenStackBed } from './bed.ts';
import { as, logIn, type Session } from './client.ts';

type Variables = Readonly<Record<string, string>>;

/** What members alone may do where the defaults of 2023 and later are enforced; the bed has those before, by which a reader may do as much. */
const ofMembers = {
  neutron: ['create_port', 'update_port', 'delete_port', 'create_trunk', 'delete_trunk', 'add_subports', 'remove_subports'],
  nova: ['os_compute_api:os-attach-interfaces:create', 'os_compute_api:os-attach-interfaces:delete'],
};

/**
 * A user of demo's project with the role reader alone, and its `OS_*` variables; a reader may change nothing meanwhile. It ends with the disposal.
 * `admin`: a session of the administrator.
 */
export async function reader(bed: OpenStackBed, admin: Session): Promise<AsyncDisposable & { readonly variables: Variables }> {
  const [{ id: project }] = (await admin.identity('GET', '/projects?name=demo')).body.projects;
  const account = { name: `reader-${process.pid}`, password: 'reader', domain_id: 'default' };
  const made = await admin.identity('POST', '/users', { user: account });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const { id } = made.body.user;
  const [role] = (await admin.identity('GET', '/roles?name=reader')).body.roles;
  assert.equal((await admin.identity('PUT', `/projects/${project}/users/${id}/roles/${role.id}`)).status, 204);
  const policies = Object.entries(ofMembers).map(([service, rules]) => {
    const path = join(bed.state, `etc/${service}-policy.yaml`);
    const was = readFileSync(path, 'utf8');
    // The service reads it again by itself.
    writeFileSync(path, rules.map((rule) => `"${rule}": "role:member or role:admin"\n`).join(''));
    return { path, was };
  });
  return {
    variables: { ...bed.environment('demo'), OS_USERNAME: account.name, OS_PASSWORD: account.password },
    async [Symbol.asyncDispose]() {
      for (const { path, was } of policies) writeFileSync(path, was);
      await admin.identity('DELETE', `/users/${id}`);
    },
  };
}

/** An application credential as Keystone answers. */
export interface Credential {
  readonly id: string;
  readonly name: string;
  readonly secret: string;
}

/** As `openstack application credential create NAME --role member` does for the user of the session. `more`: further fields. */
export async function applicationCredential({ identity, user }: Session, name: string, more: object = {}): Promise<Credential> {
  const body = { application_credential: { name, roles: [{ name: 'member' }], ...more } };
  const answer = await identity('POST', `/users/${user}/application_credentials`, body);
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return answer.body.application_credential;
}

/** By a session of the user whose it is. */
export async function revoke({ identity, user }: Session, { id }: Credential): Promise<void> {
  assert.equal((await identity('DELETE', `/users/${user}/application_credentials/${id}`)).status, 204);
}

/** `OS_*` of it. */
export function variablesOf({ authUrl, region }: OpenStackBed, { id, secret }: Credential): Record<string, string> {
  return { OS_AUTH_URL: authUrl, OS_REGION_NAME: region, OS_APPLICATION_CREDENTIAL_ID: id, OS_APPLICATION_CREDENTIAL_SECRET: secret };
}

/** Variables of an application credential of demo's with which somebody has logged in, and that was revoked then. */
export async function revokedCredential(bed: OpenStackBed): Promise<Variables> {
  const demo = await as(bed, 'demo');
  const credential = await applicationCredential(demo, `revoked-${process.pid}-${Date.now()}`);
  const { id, secret } = credential;
  await logIn(bed, { identity: { methods: ['application_credential'], application_credential: { id, secret } } });
  await revoke(demo, credential);
  return variablesOf(bed, credential);
}
