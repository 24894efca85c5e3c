/** A token of Keystone and the catalogue that came with it (Identity API v3, POST /v3/auth/tokens). */
import { type Asked, refuse } from '../wire/asked.ts';
import { list, Mismatch, object, type Read, text } from '../wire/shape.ts';
import type { Account } from './account.ts';

/** What a login gives. */
export interface Token {
  /** The header X-Auth-Token. Secret: a function, so that nothing prints it. */
  readonly secret: () => string;
  /** From issue to expiry, milliseconds: both by Keystone's clock, which is never compared with ours. */
  readonly life_ms: number;
  readonly project: string;
  readonly roles: readonly string[];
  /** Where a service is, with its version. @throws Failure cloudInvalid when the catalogue has none in that region */
  endpoint(service: string, account: Account, asked: Asked): string;
}

interface Endpoint {
  readonly service: string;
  readonly interface: string;
  readonly region: string;
  readonly url: string;
}

/** Reads the answer. @throws Mismatch */
export const tokenOf = (
  { body, headers }: { readonly body: unknown; readonly headers: Readonly<Record<string, unknown>> },
  at: string,
): Token => {
  const token = object(object(body, at)['token'], `${at}.token`);
  const secret = text(headers['x-subject-token'], 'header X-Subject-Token');
  const expires_ms = moment(token['expires_at'], `${at}.token.expires_at`);
  const project = object(token['project'], `${at}.token.project (a login without a project is of no use)`);
  const catalogue = list(serviceOf)(token['catalog'], `${at}.token.catalog`).flat();
  return {
    secret: () => secret,
    life_ms: Math.max(0, expires_ms - moment(token['issued_at'], `${at}.token.issued_at`)),
    project: text(project['id'], `${at}.token.project.id`),
    roles: list((role, where) => text(object(role, where)['name'], `${where}.name`))(token['roles'] ?? [], `${at}.token.roles`),
    endpoint: (service, account, asked) => endpointOf(catalogue, service, account, asked),
  };
};

/** A time with or without fractions, such as `2026-11-23T04:13:57Z`: milliseconds since the epoch. */
export const moment: Read<number> = (value, at) => {
  const written = text(value, at);
  // Neutron says Z, old servers nothing: all times are UTC.
  const time_ms = Date.parse(/(Z|[+-]\d\d:\d\d)$/.test(written) ? written : `${written}Z`);
  if (Number.isNaN(time_ms)) throw new Mismatch(`${at} should be a time, not ${JSON.stringify(written.slice(0, 80))}`);
  return time_ms;
};

const serviceOf: Read<Endpoint[]> = (value, at) => {
  const from = object(value, at);
  const service = text(from['type'], `${at}.type`);
  return list((one, where) => {
    const endpoint = object(one, where);
    const part = (name: string): string => text(endpoint[name], `${where}.${name}`);
    return {
      service,
      interface: part('interface'),
      region: text(endpoint['region_id'] ?? endpoint['region'] ?? '', where),
      url: part('url'),
    };
  })(from['endpoints'] ?? [], `${at}.endpoints`);
};

/** Neutron's and Octavia's addresses have no version, Nova's has one, some have both forms. */
const versions: Readonly<Record<string, string>> = { network: '/v2.0', compute: '/v2.1', 'load-balancer': '/v2.0' };

function endpointOf(catalogue: readonly Endpoint[], service: string, account: Account, asked: Asked): string {
  const all = catalogue.filter((one) => one.service === service);
  const { region } = account;
  const fit = all.filter((one) => one.interface === account.interface && (region === undefined || one.region === region));
  const [first] = fit;
  const where = region === undefined ? '' : ` in region ${region}`;
  if (first === undefined) {
    const others = [...new Set(all.map((one) => `${one.interface} in ${one.region}`))].join(', ') || 'none';
    throw refuse.invalid(asked, `the catalogue has no ${account.interface} address of the ${service} service${where}; it has: ${others}`);
  }
  const others = new Set(fit.map((one) => one.region));
  if (others.size > 1) throw refuse.invalid(asked, `the catalogue has several regions, name one: ${[...others].join(', ')}`);
  const url = first.url.replace(/\/+$/, '');
  return /\/v\d+(\.\d+)?(\/[^/]*)?$/.test(url) ? url : `${url}${versions[service] ?? ''}`;
}
