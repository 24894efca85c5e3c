/**
 * Keys for a token of another identity provider (roles for service accounts on EKS): STS gives them for the token, in a call that is not signed.
 * Source: AWS STS API reference, AssumeRoleWithWebIdentity.
 */
import { type Asked, reached, refuse, refuseByStatus, understood } from '../../wire/asked.ts';
import { object, text } from '../../wire/shape.ts';
import { textIn } from '../../wire/watched-file.ts';
import { errorOf, type Refused } from '../refused.ts';
import { formOf } from '../query.ts';
import type { Credentials } from '../sigv4.ts';
import { xmlOf } from '../xml.ts';
import { keys, type Source, type Surroundings, Trouble } from './source.ts';

/** AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN. */
export const webIdentity: Source = {
  name: 'a web identity',
  async read(around, left_ms) {
    const { AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile, AWS_ROLE_ARN: role, AWS_ROLE_SESSION_NAME: session } = around.env;
    if (!tokenFile) return undefined;
    if (!role) throw new Trouble('AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not');
    return await byWebIdentity({ tokenFile, role, session }, around, left_ms);
  },
};

/** Asks STS. @throws Trouble when there is no token, Failure cloud* for what STS says */
export async function byWebIdentity(
  { tokenFile, role, session = 'flatpod' }: { readonly tokenFile: string; readonly role: string; readonly session: string | undefined },
  { connections, sts }: Surroundings,
  left_ms: number,
): Promise<Credentials> {
  const { endpoint } = await sts();
  const asked: Asked = { cloud: 'aws', endpoint, call: 'AssumeRoleWithWebIdentity', object: role };
  // Read each time: the kubelet replaces it.
  const token = textIn(tokenFile, (what) => new Trouble(`the token ${what}`)).trim();
  const parameters = { RoleArn: role, RoleSessionName: session, WebIdentityToken: token };
  const body = formOf(asked.call, '2011-06-15', parameters);
  const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
  const answer = await reached(connections.exchange({ method: 'POST', endpoint, path: '/', headers, body }, left_ms), asked);
  if (answer.status !== 200) throw refusalOf(errorOf(answer, asked), asked);
  return understood(answer, ({ text: xml }, at) => keysOf(xmlOf(xml).value, at), asked);
}

function keysOf(value: unknown, at: string): Credentials {
  const result = object(object(value, at)['AssumeRoleWithWebIdentityResult'], `${at}.AssumeRoleWithWebIdentityResult`);
  const given = object(result['Credentials'], `${at}.Credentials`);
  const field = (name: string): string => text(given[name], `${at}.Credentials.${name}`);
  return keys(field('AccessKeyId'), field('SecretAccessKey'), field('SessionToken'), field('Expiration'));
}

function refusalOf({ code, words, status }: Refused, asked: Asked): Error {
  // The provider could not be asked: it may be up again a moment later.
  if (code === 'IDPCommunicationError') return refuse.unavailable(asked, words);
  if (code === 'Throttling') return refuse.throttled(asked, words);
  if (status >= 500) return refuseByStatus(status)(asked, words);
  // The role's trust policy says who may have it; all else is about the token.
  return (code === 'AccessDenied' ? refuse.denied : refuse.credentials)(asked, words);
}
