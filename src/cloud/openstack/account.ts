/**
 * Where an OpenStack is and who we are there, from settings by the names that its own clients use (keystoneauth1, loading/_plugins).
 *
 * Invariants
 * - a secret is behind a function: no inspect, no JSON and no error shows it
 */
import { failure, type Failure } from '../../errors/failure.ts';

/** An account, ready to log in with. */
export interface Account {
  /** Of Keystone; ends in /v3. */
  readonly authUrl: string;
  /** Absent: the catalogue has one region alone, or the first is meant. */
  readonly region?: string;
  /** Which of a service's addresses: `public`, `internal` or `admin`. */
  readonly interface: string;
  /** Path of certificates in PEM by which servers are known. */
  readonly caFile?: string;
  /** For sentences: who logs in. */
  readonly who: string;
  /** Keystone knows the account no more once somebody has revoked it. */
  readonly isRevocable: boolean;
  /** The `auth` of POST /v3/auth/tokens. Secret. */
  readonly auth: () => unknown;
}

/** Settings by their names in clouds.yaml (`auth_url`, `username`, …). */
export type Settings = Readonly<Record<string, string | undefined>>;

/** Settings that cannot be used. `text` never quotes a value: it might be the secret. */
export function unusable(text: string): Failure {
  return failure('cloudCredentials', { cloud: 'openstack', call: 'a login', text });
}

/** @throws Failure cloudCredentials that names the setting that is missing, as `from` calls it (OS_… or that of a file) */
export function accountOf(settings: Settings, from: (setting: string) => string): Account {
  const must = (setting: string): string => {
    const value = settings[setting];
    if (value === undefined || value === '') throw unusable(`${from(setting)} is not set`);
    return value;
  };
  if (isTrue(settings['insecure']) || settings['verify'] === 'false')
    throw unusable(`${from('insecure')} is not offered: name the certificates in ${from('cacert')}`);
  const identity = identityOf(settings, must);
  const url = must('auth_url').replace(/\/+$/, '');
  if (!/^https?:\/\/[^/]/.test(url)) throw unusable(`${from('auth_url')} is no http:// or https:// address`);
  const { region_name: region, cacert: caFile } = settings;
  return {
    authUrl: /\/v\d[^/]*$/.test(url) ? url.replace(/\/v\d[^/]*$/, '/v3') : `${url}/v3`,
    ...(region !== undefined && { region }),
    // `publicURL` is how Keystone v2 spelled it; files still do.
    interface: (settings['interface'] ?? settings['endpoint_type'] ?? 'public').replace(/URL$/, ''),
    ...(caFile !== undefined && { caFile }),
    ...identity,
  };
}

type Must = (setting: string) => string;
type Identity = Pick<Account, 'who' | 'isRevocable' | 'auth'>;

function identityOf(settings: Settings, must: Must): Identity {
  const type = settings['auth_type'];
  const isCredential =
    type === undefined ? settings['application_credential_secret'] !== undefined : /^(v3)?applicationcredential$/.test(type);
  if (isCredential) return applicationCredential(settings, must);
  if (type !== undefined && !/^(v3)?password$/.test(type))
    throw unusable(`auth_type ${JSON.stringify(type.slice(0, 40))} is not offered: only password and v3applicationcredential are`);
  const secret = hidden(must('password'));
  const user = userOf(settings, must);
  const scope = { project: projectOf(settings, must) };
  return {
    who: `user ${nameIn(user)} of project ${nameIn(scope.project)}`,
    isRevocable: false,
    auth: () => ({ identity: { methods: ['password'], password: { user: { ...user, password: secret() } } }, scope }),
  };
}

/** It has its own scope, so none may be asked for. By name it needs its user; by id it needs none. */
function applicationCredential(settings: Settings, must: Must): Identity {
  const secret = hidden(must('application_credential_secret'));
  const id = settings['application_credential_id'];
  const which = id === undefined ? { name: must('application_credential_name'), user: userOf(settings, must) } : { id };
  return {
    who: `application credential ${id ?? must('application_credential_name')}`,
    isRevocable: true,
    auth: () => ({ identity: { methods: ['application_credential'], application_credential: { ...which, secret: secret() } } }),
  };
}

interface Named {
  readonly id?: string;
  readonly name?: string;
  readonly domain?: object;
}

function userOf(settings: Settings, must: Must): Named {
  const id = settings['user_id'];
  return id === undefined ? { name: must('username'), domain: domainOf(settings, 'user') } : { id };
}

function projectOf(settings: Settings, must: Must): Named {
  const id = settings['project_id'] ?? settings['tenant_id'];
  if (id !== undefined) return { id };
  return { name: settings['project_name'] ?? settings['tenant_name'] ?? must('project_name'), domain: domainOf(settings, 'project') };
}

/** Keystone makes the domain `default` itself; clients take it where none is named. */
function domainOf(settings: Settings, of: 'user' | 'project'): object {
  const [id, name] = [settings[`${of}_domain_id`], settings[`${of}_domain_name`]];
  if (id !== undefined) return { id };
  if (name !== undefined) return { name };
  const [anyId, anyName] = [settings['domain_id'], settings['domain_name']];
  if (anyName !== undefined && anyId === undefined) return { name: anyName };
  return { id: anyId ?? settings['default_domain'] ?? 'default' };
}

function nameIn({ id, name }: Named): string {
  return id ?? name ?? '';
}

function isTrue(text: string | undefined): boolean {
  return text !== undefined && /^(1|true|yes|on)$/i.test(text);
}

function hidden(secret: string): () => string {
  return () => secret;
}
