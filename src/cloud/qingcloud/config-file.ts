/** QingCloud's `config.yaml`: the keys that its own programs know. Those that say how often and how long to try are ours to decide, and ignored. */
import { parse } from 'yaml';
import { failure } from '../../errors/failure.ts';
import { markOf, textIn } from '../wire/watched-file.ts';

/** What is read of it. */
export interface ConfigFile {
  readonly key: string;
  readonly secret: string;
  readonly zone?: string;
  readonly protocol?: string;
  readonly host?: string;
  readonly port?: string;
  readonly uri?: string;
}

/** The file, read again when it is another one than before. */
export interface WatchedConfig {
  /** @throws Failure cloudCredentials that names the file and what is wrong with it, and none of its values. */
  read(): ConfigFile;
  forget(): void;
}

/** Nothing is read before it is asked for. */
export function configFile(path: string): WatchedConfig {
  let known: { readonly mark: string; readonly content: ConfigFile } | undefined;
  return {
    read() {
      const mark = markOf(path);
      if (known?.mark !== mark) known = { mark, content: contentOf(path) };
      return known.content;
    },
    forget() {
      known = undefined;
    },
  };
}

function contentOf(path: string): ConfigFile {
  const found = valuesOf(path);
  const one = (name: string): string | undefined => {
    const value = found[name];
    return typeof value === 'string' || typeof value === 'number' ? `${value}` : undefined;
  };
  const needed = (name: string): string => one(name) || lacks(path, name);
  const optional = (name: 'zone' | 'protocol' | 'host' | 'port' | 'uri'): Partial<ConfigFile> => {
    const value = one(name);
    return value === undefined || value === '' ? {} : { [name]: value };
  };
  return {
    key: needed('qy_access_key_id'),
    secret: needed('qy_secret_access_key'),
    ...optional('zone'),
    ...optional('protocol'),
    ...optional('host'),
    ...optional('port'),
    ...optional('uri'),
  };
}

function valuesOf(path: string): Readonly<Record<string, unknown>> {
  const text = textIn(path, unusable);
  let content: unknown;
  try {
    content = parse(text, { logLevel: 'error' });
  } catch {
    // Not as a cause: a parser's error quotes the line, which may be that of the secret.
    throw unusable(`${path} cannot be read as YAML`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) throw unusable(`${path} is no list of keys and values`);
  // Narrowed just now; each value is looked at when it is taken.
  return content as Record<string, unknown>;
}

function lacks(path: string, name: string): never {
  throw unusable(`${path} lacks ${name}`);
}

function unusable(what: string): Error {
  return failure('cloudCredentials', { cloud: 'qingcloud', call: 'any call', text: `the credentials file ${what}` });
}
