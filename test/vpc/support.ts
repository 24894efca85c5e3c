/** A VPC for a test, and a client that says what it got. */
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '../../src/log.ts';
import { type RunningVpc, startVpc, type VpcOptions } from '../../src/vpc/start.ts';

export const quiet = createLog('test', 'error', () => {});

/** What came back; status 0 when the connection was closed instead. */
export interface Reply {
  readonly status: number;
  // Tests look into answers of every shape; assertions say what they expect.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
  readonly headers: Record<string, unknown>;
}

export interface TestVpc extends AsyncDisposable {
  readonly url: string;
  readonly stateDir: string;
  /** Where the fronts serve, by their names. */
  readonly frontUrls: Readonly<Record<string, string>>;
  call(method: string, path: string, body?: unknown): Promise<Reply>;
  /** Stops and starts again on the same state. */
  restart(): Promise<void>;
}

/** A VPC on a free port with a state of its own; without packets unless asked for. */
export async function testVpc(options: Partial<VpcOptions> = {}): Promise<TestVpc> {
  const stateDir = options.stateDir ?? mkdtempSync(join(tmpdir(), 'fpv-'));
  const start = (): Promise<RunningVpc> =>
    startVpc({ stateDir, listen: '127.0.0.1:0', name: 'fpv', fabric: false, log: quiet, ...options });
  let running = await start();
  return {
    get url() {
      return running.url;
    },
    stateDir,
    get frontUrls() {
      return running.frontUrls;
    },
    call: (method, path, body) => call(running.url, method, path, body),
    async restart() {
      await running.stop();
      running = await start();
    },
    async [Symbol.asyncDispose]() {
      await running.stop({ destroy: true });
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

/** One call; a string is sent as it is, anything else as JSON. */
export function call(url: string, method: string, path: string, body?: unknown): Promise<Reply> {
  return new Promise((resolve) => {
    const gone = (): void => resolve({ status: 0, body: undefined, headers: {} });
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const headers = text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const sent = request(`${url}${path}`, { method, agent: false, headers }, (response) => {
      let answer = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (answer += chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: answer === '' ? undefined : JSON.parse(answer), headers: response.headers }),
      );
      response.on('error', gone);
    });
    sent.on('error', gone);
    sent.end(text);
  });
}

/** A subnet `a` (10.20.0.0/24 and IPv6) in zone z1, and what makes instances and NICs in it. */
export async function withSubnet(vpc: TestVpc, cidr4 = '10.20.0.0/24', name = 'a', zone = 'z1'): Promise<string> {
  const octet = Number(cidr4.split('.')[2]);
  const made = await vpc.call('POST', '/v1/subnets', { name, zone, cidr4, cidr6: `2001:db8:20:${octet.toString(16)}::/64` });
  if (made.status !== 201) throw new Error(JSON.stringify(made.body));
  return made.body.id;
}
