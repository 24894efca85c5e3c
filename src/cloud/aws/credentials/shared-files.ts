/**
 * Keys in the shared files: ~/.aws/credentials, ~/.aws/config, or wherever the environment or the configuration says they are. A Secret of Kubernetes is
 * mounted as such a file. Read again whenever one changes.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ABSENT, markOf, textIn } from '../../wire/watched-file.ts';
import { iniOf, type Sections } from './ini.ts';
import { keys, type Source, type Surroundings, Trouble } from './source.ts';
import { byWebIdentity } from './web-identity.ts';

/** The profile of both files; a key of the credentials file counts more. */
export const sharedFiles: Source = {
  name: 'the shared files',
  async read(around, left_ms) {
    const { name, values } = profileOf(around);
    if (values === undefined) {
      if (name === 'default') return undefined;
      throw new Trouble(`no profile ${name} in ${filesOf(around).join(' or ')}`);
    }
    const [id, secret] = [values.get('aws_access_key_id'), values.get('aws_secret_access_key')];
    if (id !== undefined && secret !== undefined) return keys(id, secret, values.get('aws_session_token'));
    if (id !== undefined || secret !== undefined) throw new Trouble(`profile ${name} has one of the key's two halves`);
    const [tokenFile, role] = [values.get('web_identity_token_file'), values.get('role_arn')];
    if (tokenFile !== undefined && role !== undefined) {
      return await byWebIdentity({ tokenFile, role, session: values.get('role_session_name') }, around, left_ms);
    }
    const other = ['role_arn', 'credential_process', 'sso_session', 'sso_start_url'].find((key) => values.has(key));
    if (other === undefined) return undefined;
    throw new Trouble(`profile ${name} gets its keys by ${other}, which Flatpod does not do: give it keys, or a web identity`);
  },
  stamp: (around) => filesOf(around).map(markOf).join(' '),
};

/** The region of the profile. */
export function profileRegion(around: Pick<Surroundings, 'env' | 'profile' | 'credentialsFile'>): string | undefined {
  return profileOf(around).values?.get('region');
}

type Where = Pick<Surroundings, 'env' | 'profile' | 'credentialsFile'>;

function profileOf(around: Where): { name: string; values: ReadonlyMap<string, string> | undefined } {
  const name = around.profile ?? around.env['AWS_PROFILE'] ?? 'default';
  const [config, credentials] = filesOf(around).map(sectionsOf);
  // In the config file other profiles than `default` have the word before their name.
  const parts = [config?.get(`profile ${name}`) ?? (name === 'default' ? config?.get(name) : undefined), credentials?.get(name)];
  const found = parts.filter((part) => part !== undefined);
  return { name, values: found.length === 0 ? undefined : new Map(found.flatMap((part) => [...part])) };
}

function filesOf({ env, credentialsFile }: Where): [string, string] {
  const home = join(env['HOME'] ?? homedir(), '.aws');
  return [
    env['AWS_CONFIG_FILE'] ?? join(home, 'config'),
    credentialsFile ?? env['AWS_SHARED_CREDENTIALS_FILE'] ?? join(home, 'credentials'),
  ];
}

function sectionsOf(path: string): Sections {
  return markOf(path) === ABSENT ? new Map() : iniOf(textIn(path, (what) => new Trouble(what)));
}
