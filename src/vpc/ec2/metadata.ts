/**
 * Instance metadata, version 2 (IMDSv2): a token by PUT, then what the instance may know of itself. Without a token nothing is told, and there is no
 * version 1. Interfaces are those that are attached now.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { InstanceId } from '../../cloud/cloud.ts';
import { cidrFamily } from '../../net/cidr.ts';
import { networkOf } from '../model/find.ts';
import type { Instance, Nic, State } from '../model/objects.ts';
import type { Setting } from './actions/action.ts';
import { nicsOf, privateDnsName } from './actions/instance-shown.ts';
import { holdingsOf } from './actions/interface-shown.ts';
import { eniOf } from './ids.ts';
import type { AccessKey } from './keys.ts';
import { factsOf } from './notes.ts';
import { timeOf } from './xml.ts';

const TOKEN_PATH = '/latest/api/token';
const ROOT = '/latest/meta-data';
const LONGEST_TTL_s = 21_600;
const MOST_TOKENS = 1000;

/** The role of the instances: its name, and the temporary key that they get for it. */
export interface Role {
  readonly name: string;
  readonly key: AccessKey;
}

/** What a path holds: text, or further paths. undefined: not there. */
type Entry = string | undefined | { readonly [name: string]: Entry };

/** Answers for one instance. */
export function metadataOf(state: State, id: InstanceId, setting: Setting, role: () => Role | undefined): RequestListener {
  const tokens = new Map<string, number>();
  return (request, response) => {
    const now = setting.now_ms();
    if (request.url === TOKEN_PATH) return giveToken(request, response, tokens, now);
    const until = tokens.get(String(request.headers['x-aws-ec2-metadata-token']));
    if (until === undefined || until <= now) return say(response, 401, '');
    if (request.method !== 'GET') return say(response, 405, '');
    const path = (request.url ?? '').replace(/\/+$/, '');
    const instance = state.instance.get(id);
    const found = instance && path.startsWith(ROOT) ? below(treeOf(state, instance, setting, role()), path.slice(ROOT.length)) : undefined;
    if (path === '/latest/dynamic/instance-identity/document' && instance) return say(response, 200, identityOf(state, instance, setting));
    if (found === undefined) return say(response, 404, '');
    say(response, 200, typeof found === 'string' ? found : listOf(found));
  };
}

function giveToken(request: IncomingMessage, response: ServerResponse, tokens: Map<string, number>, now_ms: number): void {
  const ttl = Number(request.headers['x-aws-ec2-metadata-token-ttl-seconds']);
  if (request.method !== 'PUT') return say(response, 405, '');
  // A request that came through a proxy is refused: that is the point of version 2.
  if (request.headers['x-forwarded-for'] !== undefined) return say(response, 403, '');
  if (!Number.isInteger(ttl) || ttl < 1 || ttl > LONGEST_TTL_s) return say(response, 400, '');
  for (const [token, until] of tokens) if (until <= now_ms || tokens.size >= MOST_TOKENS) tokens.delete(token);
  const token = randomBytes(42).toString('base64');
  tokens.set(token, now_ms + ttl * 1000);
  response.setHeader('x-aws-ec2-metadata-token-ttl-seconds', ttl);
  say(response, 200, token);
}

function say(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(text), server: 'EC2ws' }).end(text);
}

function below(tree: Entry, path: string): Entry {
  let at = tree;
  for (const part of path.split('/').filter((one) => one !== '')) {
    if (typeof at !== 'object' || !Object.hasOwn(at, part)) return undefined;
    at = at[part];
  }
  return at;
}

function listOf(tree: { readonly [name: string]: Entry }): string {
  const names = Object.entries(tree).filter(([, value]) => value !== undefined);
  return names.map(([name, value]) => (typeof value === 'object' ? `${name}/` : name)).join('\n');
}

function treeOf(state: State, instance: Instance, setting: Setting, role: Role | undefined): Entry {
  const nics = nicsOf(state, instance);
  const [first] = nics;
  return {
    'ami-id': factsOf(state, instance.id).image ?? 'ami-00000000000000000',
    'instance-id': instance.id,
    'instance-type': instance.type,
    mac: first?.mac,
    hostname: privateDnsName(first, setting.region),
    'local-hostname': privateDnsName(first, setting.region),
    'local-ipv4': first?.primary4,
    iam: role && { 'security-credentials': { [role.name]: credentialsOf(role.key, setting) } },
    network: { interfaces: { macs: Object.fromEntries(nics.map((nic) => [nic.mac, interfaceOf(state, nic, setting)])) } },
    placement: { 'availability-zone': instance.zone, region: setting.region },
    'security-groups': first?.securityGroups.map((id) => state.group.get(id)?.name).join('\n'),
    services: { domain: 'amazonaws.com', partition: 'aws' },
  };
}

function interfaceOf(state: State, nic: Nic, { account }: Setting): Entry {
  const { addresses4, addresses6, prefixes4, prefixes6 } = holdingsOf(state, nic);
  const subnet = state.subnet.get(nic.subnet);
  const { cidrs, id: vpc } = networkOf(state);
  const of = (family: 4 | 6): string[] => cidrs.filter((cidr) => cidrFamily(cidr) === family);
  const lines = (values: readonly string[]): string | undefined => (values.length === 0 ? undefined : values.join('\n'));
  return {
    'device-number': String(nic.attachment?.deviceIndex ?? 0),
    'interface-id': eniOf(nic.id),
    'ipv4-prefix': lines(prefixes4),
    'ipv6-prefix': lines(prefixes6),
    ipv6s: lines(addresses6),
    'local-ipv4s': lines(addresses4),
    mac: nic.mac,
    'network-card': '0',
    'owner-id': account,
    'security-group-ids': nic.securityGroups.join('\n'),
    'subnet-id': nic.subnet,
    'subnet-ipv4-cidr-block': subnet?.cidr4,
    'subnet-ipv6-cidr-blocks': subnet?.cidr6,
    'vpc-id': vpc,
    'vpc-ipv4-cidr-block': of(4)[0],
    'vpc-ipv4-cidr-blocks': lines(of(4)),
    'vpc-ipv6-cidr-blocks': lines(of(6)),
  };
}

function credentialsOf({ id, secret, sessionToken, expiresAt_ms }: AccessKey, { now_ms }: Setting): string {
  return JSON.stringify({
    Code: 'Success',
    LastUpdated: timeOf(now_ms()),
    Type: 'AWS-HMAC',
    AccessKeyId: id,
    SecretAccessKey: secret,
    Token: sessionToken ?? '',
    Expiration: timeOf(expiresAt_ms ?? now_ms() + 6 * 3600_000),
  });
}

function identityOf(state: State, instance: Instance, { account, region }: Setting): string {
  return JSON.stringify({
    accountId: account,
    architecture: 'x86_64',
    availabilityZone: instance.zone,
    instanceId: instance.id,
    instanceType: instance.type,
    privateIp: nicsOf(state, instance)[0]?.primary4,
    region,
    version: '2017-09-30',
  });
}
