/** The account as its files and variables say it now: `OS_*`, or a cloud of clouds.yaml with secure.yaml merged over it (openstacksdk, config/loader). */
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { certificatesIn } from '../wire/ca-file.ts';
import { Mismatch, object } from '../wire/shape.ts';
import { ABSENT, markOf, textIn } from '../wire/watched-file.ts';
import { type Account, accountOf, type Settings, unusable } from './account.ts';

/** Where to look for the account. */
export interface CredentialSource {
  /** `OS_*` and HOME: those of the process, when absent. */
  readonly variables?: Readonly<Record<string, string | undefined>>;
  /** A cloud of clouds.yaml; OS_CLOUD when absent. */
  readonly cloud?: string;
  /** Path of clouds.yaml; OS_CLIENT_CONFIG_FILE or the usual places when absent. */
  readonly file?: string;
}

/** An account, and whether what it came from has changed since. */
export interface ReadAccount {
  readonly account: Account;
  /** The certificates of `account.caFile`. */
  readonly ca?: string;
  /** Looks at the files' times, sizes and inodes: cheap, and true for a Secret that Kubernetes rotated by a symbolic link. */
  readonly isStale: () => boolean;
}

/** Reads it. @throws Failure cloudCredentials that says what is missing, and never quotes a file */
export function readAccount({ variables = process.env, cloud = variables['OS_CLOUD'], file }: CredentialSource): ReadAccount {
  const seen: string[] = [];
  const account =
    cloud === undefined || cloud === '' ? accountOf(ofVariables(variables), variableOf) : ofFiles({ variables, cloud, file, seen });
  const { caFile } = account;
  if (caFile !== undefined) seen.push(caFile);
  const ca = caFile === undefined ? undefined : certificatesIn(caFile, unusable);
  const marks = seen.map(markOf);
  return { account, ...(ca !== undefined && { ca }), isStale: () => seen.some((path, i) => markOf(path) !== marks[i]) };
}

/** What OS_… sets by its name in clouds.yaml. Empty is not set: shells have no other way to say so. */
function ofVariables(variables: Readonly<Record<string, string | undefined>>): Settings {
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) =>
      name.startsWith('OS_') && value !== undefined && value !== '' ? [[name.slice(3).toLowerCase(), value]] : [],
    ),
  );
}

function variableOf(setting: string): string {
  return `OS_${setting.toUpperCase()}`;
}

interface FromFiles {
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly cloud: string;
  readonly file: string | undefined;
  /** Every file that was looked at is added. */
  readonly seen: string[];
}

function ofFiles({ variables, cloud, file, seen }: FromFiles): Account {
  const path = file ?? variables['OS_CLIENT_CONFIG_FILE'] ?? firstThere(placesOf('clouds', variables));
  if (path === undefined) throw unusable(`cloud ${cloud}: there is no clouds.yaml in ${placesOf('clouds', variables).join(', ')}`);
  const beside = join(resolve(path), '..', 'secure.yaml');
  const secure = variables['OS_CLIENT_SECURE_FILE'] ?? firstThere([beside, ...placesOf('secure', variables)]);
  const [open, secret] = [path, secure].map((one) => (one === undefined ? undefined : settingsIn(one, cloud, seen)));
  if (open === undefined && secret === undefined) throw unusable(`${path} has no cloud ${cloud}`);
  const { region_name, interface: which, cacert } = ofVariables(variables);
  const chosen = Object.entries({ region_name, interface: which, cacert }).filter(([, value]) => value !== undefined);
  const settings = { ...open, ...secret, ...Object.fromEntries(chosen) };
  return accountOf(settings, (setting) => `${setting} of cloud ${cloud} in ${path}`);
}

function placesOf(name: string, variables: Readonly<Record<string, string | undefined>>): string[] {
  const home = variables['HOME'];
  const folders = [resolve('.'), ...(home === undefined ? [] : [join(home, '.config/openstack')]), '/etc/openstack'];
  return folders.flatMap((folder) => [join(folder, `${name}.yaml`), join(folder, `${name}.yml`)]);
}

function firstThere(paths: readonly string[]): string | undefined {
  return paths.find((path) => markOf(path) !== ABSENT);
}

/** One flat record: what is under `auth` and what is beside it never have the same name. undefined: the file has no such cloud. */
function settingsIn(path: string, cloud: string, seen: string[]): Settings | undefined {
  seen.push(path);
  const text = textIn(path, unusable);
  try {
    const clouds = object(object(parsed(text, path), 'file')['clouds'] ?? {}, 'clouds');
    if (clouds[cloud] === undefined) return undefined;
    const of = object(clouds[cloud], `clouds.${cloud}`);
    if (of['profile'] !== undefined || of['cloud'] !== undefined)
      throw unusable(`${path}: cloud ${cloud} names a profile, which is not offered: write its auth_url`);
    const [region] = Array.isArray(of['regions']) ? of['regions'] : [];
    return { ...plain({ region_name: region }), ...plain(of), ...plain(object(of['auth'] ?? {}, `clouds.${cloud}.auth`)) };
  } catch (error) {
    // Of its message only the place: what stands there may be a secret.
    if (error instanceof Mismatch) throw unusable(`${path}: ${error.message.split(' should be ')[0]} is not what it should be`);
    throw error;
  }
}

function plain(from: Readonly<Record<string, unknown>>): Settings {
  return Object.fromEntries(
    Object.entries(from).flatMap(([key, value]) =>
      typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? [[key, String(value)]] : [],
    ),
  );
}

function parsed(text: string, path: string): unknown {
  try {
    return parse(text, { prettyErrors: false });
  } catch {
    // The parser's own words quote the line.
    throw unusable(`${path} is no YAML`);
  }
}
