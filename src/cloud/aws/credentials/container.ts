/**
 * Keys from an agent beside the container: Pod Identity on EKS, task roles on ECS. A URL and a token to show there.
 * Source: AWS SDKs and Tools Reference Guide, "Container credential provider".
 */
import { object, text } from '../../wire/shape.ts';
import { textIn } from '../../wire/watched-file.ts';
import { keys, type Source, Trouble } from './source.ts';

/** AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI, with AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE or _TOKEN. */
export const container: Source = {
  name: 'the container’s agent',
  async read({ env, connections }, left_ms) {
    const relative = env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'];
    const full = relative ? `http://169.254.170.2${relative}` : env['AWS_CONTAINER_CREDENTIALS_FULL_URI'];
    if (!full) return undefined;
    const { endpoint, path } = placeOf(full);
    const token = tokenOf(env);
    const headers = { accept: 'application/json', ...(token !== undefined && { authorization: token }) };
    const answer = await connections.exchange({ method: 'GET', endpoint, path, headers }, left_ms).catch((error: unknown) => {
      throw new Trouble(`${endpoint}: ${error instanceof Error ? error.message : String(error)}`);
    });
    if (answer.status !== 200) throw new Trouble(`${endpoint} answers ${answer.status}`);
    return keysOf(answer.text, endpoint);
  },
};

/** Keys as JSON: AccessKeyId, SecretAccessKey, Token, Expiration. @throws Trouble, without quoting any of it */
export function keysOf(json: string, from: string): ReturnType<typeof keys> {
  try {
    const given = object(JSON.parse(json), 'keys');
    const field = (name: string): string => text(given[name], name);
    return keys(field('AccessKeyId'), field('SecretAccessKey'), field('Token'), field('Expiration'));
  } catch {
    // The parser's own words would quote what stands there.
    throw new Trouble(`${from} answers with something that is no keys`);
  }
}

/** Who may see the token: this machine, the agents' own addresses, and whoever proves by TLS who they are. */
const trusted = /^(localhost|127(\.\d+){3}|\[::1\]|169\.254\.170\.(2|23)|\[fd00:ec2::23\])$/;

function placeOf(uri: string): { endpoint: string; path: string } {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  if (url === undefined) throw new Trouble('AWS_CONTAINER_CREDENTIALS_FULL_URI is no URL');
  if (url.protocol !== 'https:' && !trusted.test(url.hostname))
    throw new Trouble(`${url.host} is neither https nor an agent's own address`);
  return { endpoint: url.origin, path: `${url.pathname}${url.search}` };
}

function tokenOf(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const path = env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];
  const token = path ? textIn(path, (what) => new Trouble(`the token ${what}`)).trim() : env['AWS_CONTAINER_AUTHORIZATION_TOKEN'];
  if (token !== undefined && /[\r\n]/.test(token)) throw new Trouble('the authorization token has more than one line');
  return token;
}
