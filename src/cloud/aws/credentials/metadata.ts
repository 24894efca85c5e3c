/**
 * What the instance's metadata service tells: keys of the instance's role, the region, the VPC. Version 2 alone: a token first, then questions with it.
 * Source: Amazon EC2 User Guide, "Use the Instance Metadata Service".
 */
import type { Connections } from '../../wire/http.ts';
import { keysOf } from './container.ts';
import { type Source, Trouble } from './source.ts';

/** It is on the machine itself: what does not answer at once is not there. */
const patience_ms = 1000;
const tries = 2;

/** Keys of the instance's role. */
export const metadata: Source = {
  name: 'the metadata service',
  async read({ env, connections }) {
    const ask = await metadataOf(env, connections);
    const roles = await ask('iam/security-credentials/');
    const [role = ''] = (roles ?? '').trim().split('\n');
    if (role === '') throw new Trouble('the instance has no role');
    const text = await ask(`iam/security-credentials/${encodeURIComponent(role)}`);
    if (text === undefined) throw new Trouble(`role ${role} has no keys`);
    return keysOf(text, `role ${role}`);
  },
};

/** Asks for a path below /latest/meta-data/; undefined: there is none. */
type Ask = (path: string) => Promise<string | undefined>;

/** Opens the service. @throws Trouble when it is switched off, or nobody is there */
export async function metadataOf(env: Readonly<Record<string, string | undefined>>, connections: Connections): Promise<Ask> {
  if (env['AWS_EC2_METADATA_DISABLED'] === 'true') throw new Trouble('AWS_EC2_METADATA_DISABLED says not to ask');
  const v6 = env['AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE']?.toLowerCase() === 'ipv6';
  const endpoint = env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ?? (v6 ? 'http://[fd00:ec2::254]' : 'http://169.254.169.254');
  const exchange = async (method: 'GET' | 'PUT', path: string, headers: Record<string, string>) => {
    let last: unknown;
    for (let attempt = 0; attempt < tries; attempt++) {
      try {
        const answer = await connections.exchange({ method, endpoint, path: `/latest/${path}`, headers }, patience_ms);
        if (answer.status < 500) return answer;
        last = new Error(`status ${answer.status}`);
      } catch (error) {
        last = error;
      }
    }
    throw new Trouble(`${endpoint}: ${last instanceof Error ? last.message : String(last)}`);
  };
  const opened = await exchange('PUT', 'api/token', { 'x-aws-ec2-metadata-token-ttl-seconds': '300', 'content-length': '0' });
  if (opened.status !== 200) throw new Trouble(`${endpoint} gives no token: status ${opened.status}`);
  return async (path) => {
    const answer = await exchange('GET', `meta-data/${path}`, { 'x-aws-ec2-metadata-token': opened.text });
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw new Trouble(`${endpoint} answers ${answer.status} to ${path}`);
    return answer.text;
  };
}
