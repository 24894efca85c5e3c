/** A server that answers what a test tells it to, and the driver in front of it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { QingCloudOptions } from '../../src/cloud/qingcloud/options.ts';
import { qingCloud } from '../../src/cloud/qingcloud/qingcloud.ts';
import { scriptedServer } from '../cloud/scripted-server.ts';
import { keyFile, type KeyFile } from './key-file.ts';

/** A request, with what it is about. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly action: string;
  readonly query: URLSearchParams;
}

export type Answer = (response: ServerResponse, asked: Asked) => void;

export interface Scripted extends AsyncDisposable {
  readonly cloud: ReturnType<typeof qingCloud>;
  readonly origin: string;
  readonly keys: KeyFile;
  readonly asked: Asked[];
  /** By action; `*` for all others. */
  answers: Record<string, Answer>;
}

/** `more`: of the driver's options. */
export async function scripted(more: Partial<QingCloudOptions> = {}): Promise<Scripted> {
  const keys = keyFile('KEY', 'THE-SECRET');
  const asked: Asked[] = [];
  const server = await scriptedServer((request, response) => {
    void readAsked(request).then((one) => {
      asked.push(one);
      (answers[one.action] ?? answers['*'] ?? ((silent) => silent.destroy()))(response, one);
    });
  });
  let answers: Record<string, Answer> = {};
  const origin = server.url;
  const cloud = qingCloud({
    credentials: { from: 'file', path: keys.path },
    endpoint: `${origin}/iaas`,
    zone: 'pek3a',
    deadline_ms: 20_000,
    ...more,
  });
  return {
    cloud,
    origin,
    keys,
    asked,
    get answers() {
      return answers;
    },
    set answers(given) {
      answers = given;
    },
    async [Symbol.asyncDispose]() {
      cloud[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
      keys[Symbol.dispose]();
    },
  };
}

async function readAsked(request: IncomingMessage): Promise<Asked> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8') as AsyncIterable<string>) body += chunk;
  const { pathname, search } = new URL(request.url ?? '', 'http://h');
  const query = new URLSearchParams(body === '' ? search : body);
  return { method: request.method ?? '', path: pathname, action: query.get('action') ?? '', query };
}

export const json =
  (value: object, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify({ ret_code: 0, ...value }));

export const refused = (code: number, message: string, headers: Record<string, string> = {}): Answer =>
  json({ ret_code: code, message }, headers);

/** Each answer once, the last one from then on. */
export function inTurn(...all: readonly Answer[]): Answer {
  let next = 0;
  return (response, asked) => all[Math.min(next++, all.length - 1)]?.(response, asked);
}

/** An item of `nic_set`. */
export function nicItem(number: number, more: object = {}): object {
  return {
    nic_id: macOf(number),
    nic_name: '',
    vxnet_id: 'vxnet-1',
    instance_id: '',
    private_ip: `10.20.0.${(number % 250) + 2}`,
    role: 0,
    sequence: 0,
    status: 'available',
    create_time: '2026-01-02T03:04:05Z',
    ...more,
  };
}

export function macOf(number: number): string {
  return `52:54:00:00:${[number >> 8, number & 255].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`;
}
