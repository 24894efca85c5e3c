/**
 * The keys, and where the API is: read again when their file changes, and asked for again before a role's expire.
 *
 * Invariants
 * - what is secret stands in no error, and in no object that the driver hands out
 */
import { failure } from '../../errors/failure.ts';
import type { Clock } from '../clock.ts';
import { type ConfigFile, configFile } from './config-file.ts';
import type { QingCloudOptions } from './options.ts';
import { type RoleKeys, roleKeys } from './role.ts';

/** What a request is made and signed with. */
export interface Access {
  /** `https://HOST:PORT` */
  readonly origin: string;
  /** Exactly as it is requested and signed. */
  readonly path: string;
  readonly zone: string;
  readonly key: string;
  readonly secret: string;
  /** With a role's keys. */
  readonly token?: string;
}

/** Where {@link Access} comes from. */
export interface Credentials {
  /** @throws Failure cloudCredentials when there are none, cloudUnavailable when a role's service does not answer. */
  now(): Promise<Access>;
  /** The cloud refused them: the next ones are read anew. */
  refused(): void;
  close(): void;
}

const PUBLIC = 'https://api.qingcloud.com:443';

/** The credentials of the options. Nothing is read before it is asked for. */
export function credentialsOf({ credentials, endpoint, zone }: QingCloudOptions, clock: Clock): Credentials {
  const where = endpoint === undefined ? undefined : placeOf(endpoint);
  const zoned = (found: string | undefined): string => zone ?? found ?? missing('no zone is configured');
  switch (credentials.from) {
    case 'file': {
      const file = configFile(credentials.path);
      return {
        now: () =>
          Promise.resolve()
            .then(() => file.read())
            .then((found) => ({ ...(where ?? placeIn(found)), zone: zoned(found.zone), ...keysIn(found) })),
        refused: () => file.forget(),
        close: () => undefined,
      };
    }
    case 'environment':
      return {
        now: () =>
          Promise.resolve().then(() => ({
            ...(where ?? placeOf(`${PUBLIC}/iaas`)),
            ...keysAround(),
            zone: zoned(process.env['QINGCLOUD_ZONE']),
          })),
        refused: () => undefined,
        close: () => undefined,
      };
    case 'role': {
      const role = roleKeys(credentials.metadata ?? 'http://169.254.169.254', clock);
      const access = ({ key, secret, token }: RoleKeys): Access => ({
        ...(where ?? placeOf(`${PUBLIC}/iam`)),
        zone: zoned(undefined),
        key,
        secret,
        token,
      });
      return { now: async () => access(await role.now()), refused: () => role.forget(), close: () => role.close() };
    }
    default:
      return credentials satisfies never;
  }
}

/** @throws Failure cloudCredentials when it is no URL of HTTP. */
function placeOf(endpoint: string): Pick<Access, 'origin' | 'path'> {
  const url = URL.parse(endpoint);
  if (url === null || !/^https?:$/.test(url.protocol)) return missing(`${JSON.stringify(endpoint)} is no http(s)://HOST:PORT/PATH`);
  return { origin: `${url.protocol}//${url.host}`, path: url.pathname };
}

function placeIn({
  protocol = 'https',
  host = 'api.qingcloud.com',
  port = '443',
  uri = '/iaas',
}: ConfigFile): Pick<Access, 'origin' | 'path'> {
  return placeOf(`${protocol}://${host}:${port}${uri.startsWith('/') ? uri : `/${uri}`}`);
}

function keysIn({ key, secret }: ConfigFile): Pick<Access, 'key' | 'secret'> {
  return { key, secret };
}

function keysAround(): Pick<Access, 'key' | 'secret'> {
  const { QINGCLOUD_ACCESS_KEY_ID: key = '', QINGCLOUD_SECRET_ACCESS_KEY: secret = '' } = process.env;
  if (key === '' || secret === '') return missing('QINGCLOUD_ACCESS_KEY_ID and QINGCLOUD_SECRET_ACCESS_KEY are not both set');
  return { key, secret };
}

function missing(text: string): never {
  throw failure('cloudCredentials', { cloud: 'qingcloud', call: 'any call', text });
}
