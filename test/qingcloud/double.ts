/** A VPC with the double in front of it, and a small client that signs by itself: nothing of it is the double's own. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { qingcloud, type QingcloudOptions } from '../../src/vpc/qingcloud/front.ts';
import type { VpcOptions } from '../../src/vpc/start.ts';
import { eventually } from '../life/lab.ts';
import { call, type Reply, testVpc } from '../vpc/support.ts';

export const zone = 'pek3a';
export const key = { owner: 'usr-fp000001', accessKeyId: 'FPKEYOFTHEFIRSTUSER', secretAccessKey: 'secret of the first user' };
export const otherKey = { owner: 'usr-fp000002', accessKeyId: 'FPKEYOFTHESECONDONE', secretAccessKey: 'secret of the second user' };

export type Parameters = Readonly<Record<string, string | number>>;

/** How a request is to differ from a right one. */
export interface Oddity {
  readonly key?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly method?: 'GET' | 'POST';
  readonly path?: string;
  /** Seconds that the client's clock is ahead. */
  readonly ahead_s?: number;
  /** Done to the query after it was signed. */
  readonly spoil?: (query: string) => string;
  /** Done to the query before it is signed. */
  readonly arrange?: (query: string) => string;
}

export interface Double extends AsyncDisposable {
  /** Of the double. */
  readonly url: string;
  /** Of the VPC's own API. */
  readonly vpcUrl: string;
  /** An action whose answer must be a success. */
  ok(action: string, parameters?: Parameters, oddity?: Oddity): Promise<Reply['body']>;
  /** An action, whatever comes of it. */
  act(action: string, parameters?: Parameters, oddity?: Oddity): Promise<Reply>;
  /** The `ret_code` of an action. */
  code(action: string, parameters?: Parameters, oddity?: Oddity): Promise<number>;
  /** The VPC's own API. */
  own(method: string, path: string, body?: unknown): Promise<Reply>;
  /** A fault of the double. */
  fault(action: string, effect: object, count?: number): Promise<void>;
  turn(switches: object): Promise<void>;
  counts(): Promise<Record<string, number>>;
  /** Waits until the job is final. */
  final(job: string): Promise<string>;
  /** Makes a subnet by the VPC's own API; its vxnet's id. */
  vxnet(cidr4?: string, name?: string): Promise<string>;
  /** Runs an instance and waits for it; its id. */
  instance(vxnet: string, name?: string): Promise<string>;
  /** Stops and starts again on the same state. */
  restart(): Promise<void>;
}

let last = 0;

export async function qingcloudDouble(options: Partial<QingcloudOptions> = {}, vpc: Partial<VpcOptions> = {}): Promise<Double> {
  const name = `fpq${process.pid % 1000}-${++last}`;
  const front = qingcloud({ listen: '127.0.0.1:0', accounts: [key, otherKey], switches: { jobs_ms: [1, 30] }, ...options });
  const running = await testVpc({ name, ...vpc, fronts: [front] });
  const url = (): string => running.frontUrls['qingcloud'] ?? '';
  const act: Double['act'] = (action, parameters = {}, oddity = {}) => signed(url(), action, parameters, oddity);
  const ok: Double['ok'] = async (action, parameters, oddity) => {
    const { status, body } = await act(action, parameters, oddity);
    assert.deepEqual([status, body?.ret_code], [200, 0], `${action}: ${JSON.stringify(body)}`);
    assert.equal(body.action, `${action}Response`);
    return body;
  };
  const aside = async (method: string, path: string, body?: unknown): Promise<Reply['body']> => {
    const reply = await call(url(), method, `/double/${path}`, body);
    assert.ok(reply.status < 300, JSON.stringify(reply.body));
    return reply.body;
  };
  const own: Double['own'] = (method, path, body) => running.call(method, path, body);
  const final: Double['final'] = async (job) => {
    let status = '';
    await eventually(`job ${job} is final`, async () => {
      [{ status }] = (await ok('DescribeJobs', { 'jobs.1': job })).job_set;
      return /^(successful|failed|done with failure)$/.test(status);
    });
    return status;
  };
  return {
    get url() {
      return url();
    },
    get vpcUrl() {
      return running.url;
    },
    act,
    ok,
    own,
    final,
    code: async (action, parameters, oddity) => {
      const { status, body } = await act(action, parameters, oddity);
      assert.equal(status, 200, 'every refusal of the API is HTTP 200');
      if (body.ret_code !== 0) assert.ok(typeof body.message === 'string' && body.message !== '');
      return body.ret_code;
    },
    fault: (action, effect, count = 1) => aside('POST', 'faults', { action, effect, count }),
    turn: (switches) => aside('PUT', 'switches', switches),
    counts: () => aside('GET', 'counts'),
    async vxnet(cidr4 = '10.20.0.0/24', subnet = 'a') {
      const made = await own('POST', '/v1/subnets', { name: subnet, zone: 'z1', cidr4 });
      assert.equal(made.status, 201, JSON.stringify(made.body));
      return `vxnet-${String(made.body.id).slice(-8)}`;
    },
    async instance(vxnet, instance = 'n1') {
      const parameters = { image_id: 'debian12', login_mode: 'keypair', 'vxnets.1': vxnet, instance_name: instance };
      const { instances, job_id } = await ok('RunInstances', parameters);
      assert.equal(await final(job_id), 'successful');
      return instances[0];
    },
    restart: () => running.restart(),
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

/** Percent-encoded as RFC 3986 wants it. */
function quote(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[\w.~-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

/** An action at a double, signed as the oddity says. */
export function signed(url: string, action: string, parameters: Parameters, oddity: Oddity): Promise<Reply> {
  const { key: mine = key, method = 'GET', path = '/iaas', ahead_s = 0, spoil = (query) => query, arrange = (query) => query } = oddity;
  const all: Parameters = {
    action,
    zone,
    access_key_id: mine.accessKeyId,
    signature_method: 'HmacSHA256',
    signature_version: 1,
    version: 1,
    time_stamp: `${new Date(Date.now() + ahead_s * 1000).toISOString().slice(0, 19)}Z`,
    ...parameters,
  };
  const query = arrange(
    Object.keys(all)
      .sort()
      .map((name) => `${name}=${quote(String(all[name]).trim())}`)
      .join('&'),
  );
  const signature = createHmac('sha256', mine.secretAccessKey).update([method, path, query].join('\n')).digest('base64');
  const text = spoil(`${query}&signature=${quote(signature)}`);
  return method === 'GET' ? send(`${url}${path}?${text}`, method) : send(`${url}${path}`, method, text);
}

/** One request as it is. Status 0: the connection was cut. */
function send(url: string, method: string, form?: string): Promise<Reply> {
  return new Promise((resolve) => {
    const gone = (): void => resolve({ status: 0, body: undefined, headers: {} });
    const headers =
      form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(form) };
    const sent = request(url, { method, agent: false, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text += part));
      response.on('error', gone);
      response.on('end', () => {
        const isJson = String(response.headers['content-type']).startsWith('application/json');
        resolve({ status: response.statusCode ?? 0, body: isJson ? JSON.parse(text) : text, headers: response.headers });
      });
    });
    sent.on('error', gone);
    sent.end(form);
  });
}
