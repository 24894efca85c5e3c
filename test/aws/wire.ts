/** Between the driver and the server: a wire on which calls or their answers are lost, or answers changed, as a test tells it to. */
import { request as ask } from 'node:http';
import { scriptedServer } from '../cloud/scripted-server.ts';
import { actionOf } from './liar.ts';

/** The call does not arrive, or it does and its answer is lost. */
export type Loss = 'request' | 'answer';

/** A call on its way. */
export interface OnTheWire {
  readonly action: string;
  readonly parameters: URLSearchParams;
  /** Counted from 1, all actions together. */
  readonly number: number;
}

export interface Wire extends AsyncDisposable {
  readonly url: string;
  /** Calls so far. */
  readonly calls: OnTheWire[];
  lose: (call: OnTheWire) => Loss | undefined;
  /** What becomes of an answer's text. */
  change: (text: string, call: OnTheWire) => string;
}

/** A wire to the server at that URL. */
export async function wire(to: string): Promise<Wire> {
  const server = await scriptedServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts);
      const text = body.toString();
      const call = { action: actionOf(text), parameters: new URLSearchParams(text), number: one.calls.length + 1 };
      one.calls.push(call);
      const lost = one.lose(call);
      if (lost === 'request') return void response.destroy();
      const through = ask(to, { method: request.method, path: request.url, headers: request.headers, agent: false }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => {
          if (lost === 'answer') return void response.destroy();
          const { 'content-length': _, 'transfer-encoding': _chunked, ...headers } = answer.headers;
          response.writeHead(answer.statusCode ?? 500, headers).end(one.change(Buffer.concat(chunks).toString(), call));
        });
      });
      through.on('error', () => response.destroy());
      through.end(body);
    });
  });
  const one: Wire = {
    url: server.url,
    calls: [],
    lose: () => undefined,
    change: (text) => text,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
  return one;
}
