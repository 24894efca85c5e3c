/** A server that plays Keystone truly and Neutron and Nova as a test wants: lies, silence, and every refusal. */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { type OpenStackCloud, type OpenStackOptions, openStackCloud } from '../../src/cloud/openstack/openstack.ts';
import { scriptedServer } from '../cloud/scripted-server.ts';
import type { Certified } from '../kube/certificates.ts';

/** A request as it came. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** See the head of this file. */
export interface Liar extends AsyncDisposable {
  readonly cloud: OpenStackCloud;
  readonly authUrl: string;
  /** All that was asked of Neutron and Nova. */
  readonly asked: Asked[];
  /** The bodies of the logins. */
  readonly logins: string[];
  /** What Keystone answers; a token when absent. */
  login?: (response: ServerResponse) => void;
  /** How long tokens live from now on. */
  life_ms: number;
  /** How far Keystone's clock is ahead of ours. */
  clockAhead_ms: number;
  answer: (response: ServerResponse, asked: Asked) => void;
}

/** Sends JSON. */
export const json =
  (value: unknown, status = 200, headers: Record<string, string> = {}) =>
  (response: ServerResponse): void =>
    void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));

/** Listens on a port of the kernel's choice. `options`: those of the driver, whose credentials are alice's when it has none. `secure`: over TLS. */
export async function liar(options: Partial<OpenStackOptions> = {}, secure?: Certified): Promise<Liar> {
  const [asked, logins]: [Asked[], string[]] = [[], []];
  const server = await scriptedServer(
    (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        const { method = '', url: path = '', headers } = request;
        if (path !== '/identity/v3/auth/tokens') {
          const one = { method, path, headers, body };
          asked.push(one);
          self.answer(response, one);
          return;
        }
        logins.push(body);
        if (self.login !== undefined) self.login(response);
        else json(tokenOf(base, self), 201, { 'x-subject-token': `token-${logins.length}` })(response);
      });
    },
    '127.0.0.1',
    secure,
  );
  const base = server.url;
  const authUrl = `${base}/identity/v3`;
  const self: Liar = {
    cloud: openStackCloud({ credentials: { variables: alice(authUrl) }, deadline_ms: 20_000, ...options }),
    authUrl,
    asked,
    logins,
    life_ms: 3_600_000,
    clockAhead_ms: 0,
    answer: (response) => response.destroy(),
    async [Symbol.asyncDispose]() {
      self.cloud[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
  return self;
}

/** Variables of an account. */
export function alice(authUrl: string): Record<string, string> {
  return {
    OS_AUTH_URL: authUrl,
    OS_USERNAME: 'alice',
    OS_PASSWORD: 'opensesame',
    OS_PROJECT_NAME: 'wonderland',
    OS_USER_DOMAIN_NAME: 'Default',
    OS_PROJECT_DOMAIN_NAME: 'Default',
    OS_REGION_NAME: 'R1',
  };
}

function tokenOf(base: string, { life_ms, clockAhead_ms }: Pick<Liar, 'life_ms' | 'clockAhead_ms'>): object {
  const now_ms = Date.now() + clockAhead_ms;
  const service = (type: string, url: string): object => ({
    type,
    endpoints: ['R1', 'R2'].map((region_id) => ({ interface: 'public', region_id, url: `${url}${region_id === 'R1' ? '' : '/r2'}` })),
  });
  return {
    token: {
      issued_at: new Date(now_ms).toISOString(),
      expires_at: new Date(now_ms + life_ms).toISOString().replace('Z', '000Z'),
      project: { id: 'p1', name: 'wonderland' },
      roles: [{ name: 'member' }],
      catalog: [
        service('network', `${base}/network`),
        service('compute', `${base}/compute/v2.1`),
        service('load-balancer', `${base}/load-balancer`),
        { type: 'object-store', endpoints: [] },
      ],
    },
  };
}
