/** Plain calls of OpenStack's APIs for tests: what came back, whatever it is. The driver has a client of its own; this one must not share its mistakes. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import type { InstanceId } from '../../src/cloud/cloud.ts';
import { eventually } from '../life/lab.ts';
import { type OpenStackBed, type UserName, users } from './bed.ts';

/** What came back. */
export interface Answer {
  readonly status: number;
  // Tests look into answers of every shape; assertions say what they expect.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Neutron's word for a refusal. */
  readonly type: string | undefined;
}

export type Headers = Readonly<Record<string, string>>;
/** A call of one service: method, path below its address, body as JSON. */
export type Call = (method: string, path: string, body?: object, headers?: Headers) => Promise<Answer>;

/** Somebody who has logged in. */
export interface Session {
  readonly project: string;
  readonly user: string;
  readonly token: string;
  readonly network: Call;
  readonly compute: Call;
  readonly identity: Call;
  /** Where that service is, by its type. */
  url(type: string): string | undefined;
}

/** Two minutes: everything else on the machine may want its processors. */
const PATIENCE_ms = 120_000;

/** One call. @throws Error when there is no answer. */
export function ask(url: string, method: string, body?: object, headers: Headers = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const more = text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const sent = request(url, { method, agent: false, timeout: PATIENCE_ms, headers: { ...more, ...headers } }, (response) => {
      let answer = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (answer += part));
      response.on('error', reject);
      response.on('end', () => {
        const parsed = answer === '' ? undefined : JSON.parse(answer);
        resolve({ status: response.statusCode ?? 0, body: parsed, headers: response.headers, type: parsed?.NeutronError?.type });
      });
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer to ${method} ${url} within ${PATIENCE_ms / 1000} s`)));
    sent.on('error', reject);
    sent.end(text);
  });
}

/** Logs in with a body of Keystone's `auth`. */
export async function logIn(bed: OpenStackBed, auth: object): Promise<Session> {
  const answer = await ask(`${bed.authUrl}/auth/tokens`, 'POST', { auth });
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  const token = String(answer.headers['x-subject-token']);
  const { catalog, project, user } = answer.body.token;
  const url = (type: string): string | undefined =>
    catalog
      .find((service: { type: string }) => service.type === type)
      ?.endpoints.find((endpoint: { interface: string }) => endpoint.interface === 'public').url;
  const caller =
    (base: string, fixed: Headers = {}): Call =>
    (method, path, body, headers = {}) =>
      ask(`${base}${path}`, method, body, { 'x-auth-token': token, ...fixed, ...headers });
  return {
    project: project.id,
    user: user.id,
    token,
    url,
    network: caller(`${url('network')}/v2.0`),
    compute: caller(url('compute') ?? '', { 'openstack-api-version': 'compute 2.93' }),
    identity: caller(bed.authUrl),
  };
}

/** Logs in as one of the bed's users. */
export function as(bed: OpenStackBed, name: UserName): Promise<Session> {
  const { username, password, project } = users[name];
  return logIn(bed, {
    identity: { methods: ['password'], password: { user: { name: username, domain: { name: 'Default' }, password } } },
    scope: { project: { name: project, domain: { name: 'Default' } } },
  });
}

// The parsed JSON of an object, as in Answer.
// oxlint-disable-next-line typescript/no-explicit-any
type Made = any;

/** Makes a thing of Neutron and returns it. */
export async function make({ network }: Session, kind: 'network' | 'subnet' | 'port' | 'trunk', fields: object): Promise<Made> {
  const answer = await network('POST', `/${kind}s`, { [kind]: fields });
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return answer.body[kind];
}

/** A port as it is now. */
export async function portNow({ network }: Session, id: string): Promise<Made> {
  const answer = await network('GET', `/ports/${id}`);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.port;
}

const IMAGE = '00000000-0000-4000-8000-000000000000';
const FLAVOR = { name: 'node', ram: 64, vcpus: 1, disk: 1 };

/** A server born with those ports, once it runs. The session must be an administrator's: it makes the flavor. */
export async function launch({ compute }: Session, name: string, ports: readonly string[]): Promise<string> {
  const flavors = (await compute('GET', '/flavors')).body.flavors;
  const small =
    flavors.find((one: { name: string }) => one.name === FLAVOR.name) ??
    (await compute('POST', '/flavors', { flavor: FLAVOR })).body.flavor;
  const server = { name, imageRef: IMAGE, flavorRef: small.id, networks: ports.map((port) => ({ port })) };
  const answer = await compute('POST', '/servers', { server });
  assert.equal(answer.status, 202, JSON.stringify(answer.body));
  const { id } = answer.body.server;
  await eventually(
    `server ${name} runs`,
    async () => {
      const { status, fault } = (await compute('GET', `/servers/${id}`)).body.server;
      assert.notEqual(status, 'ERROR', fault?.message);
      return status === 'ACTIVE';
    },
    120,
  );
  return id;
}

/** A flavor of a name of its own with what the driver reads in it; answers with its id. The session must be an administrator's. */
export async function flavor({ compute }: Session, name: string, extra_specs: object): Promise<string> {
  const made = await compute('POST', '/flavors', { flavor: { name: `driver-${name}-${Date.now()}`, ram: 64, vcpus: 1, disk: 1 } });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  const { id } = made.body.flavor;
  assert.equal((await compute('POST', `/flavors/${id}/os-extra_specs`, { extra_specs })).status, 200);
  return id;
}

/** A server born with that port, once it runs. */
export async function boot({ compute }: Session, name: string, flavorRef: string, port: string): Promise<InstanceId> {
  const answer = await compute('POST', '/servers', { server: { name, imageRef: IMAGE, flavorRef, networks: [{ port }] } });
  assert.equal(answer.status, 202, JSON.stringify(answer.body));
  const { id } = answer.body.server;
  await eventually(`server ${name} runs`, async () => (await compute('GET', `/servers/${id}`)).body.server.status === 'ACTIVE', 120);
  return id;
}

/** Ends a server and waits until nothing of it is left. */
export async function endServer({ compute }: Session, id: string): Promise<void> {
  await compute('DELETE', `/servers/${id}`);
  await eventually('the server is gone', async () => (await compute('GET', `/servers/${id}`)).status === 404, 120);
}

/** Attaches a port. */
export async function attach({ compute }: Session, server: string, port: string): Promise<void> {
  const answer = await compute('POST', `/servers/${server}/os-interface`, { interfaceAttachment: { port_id: port } });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
}

/** Deletes networks with all that is in them: trunks, ports, subnets. */
export async function removeNetworks({ network }: Session, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const ports: { id: string; trunk_details?: { trunk_id: string } }[] = (await network('GET', `/ports?network_id=${id}`)).body.ports;
    for (const { trunk_details } of ports) if (trunk_details) await network('DELETE', `/trunks/${trunk_details.trunk_id}`);
    for (const port of ports) await network('DELETE', `/ports/${port.id}`);
    await network('DELETE', `/networks/${id}`);
  }
}
