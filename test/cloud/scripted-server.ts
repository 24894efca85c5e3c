/** What tests of drivers have in common where a server answers as the test tells it to. */
import assert from 'node:assert/strict';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { ErrorName } from '../../src/errors/catalogue.ts';
import { isFailure } from '../../src/errors/failure.ts';
import type { Certified } from '../kube/certificates.ts';

/** A server on a port of the kernel's choice. */
export interface ScriptedServer extends AsyncDisposable {
  /** `http://HOST:PORT`, or https:// */
  readonly url: string;
}

/** Listens until it is disposed of; connections that are open then are cut. `secure`: over TLS, with that certificate. */
export async function scriptedServer(answer: RequestListener, host = '127.0.0.1', secure?: Certified): Promise<ScriptedServer> {
  // Both ends are this process: one that was held up for longer than idle connections live would cut that on which its driver asks in the same moment.
  const options = { keepAliveTimeout: 0 };
  const server =
    secure === undefined
      ? createServer(options, answer)
      : createSecureServer({ ...options, cert: secure.certificate, key: secure.key }, answer);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return {
    url: `${secure === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Answers with this text. */
export const raw =
  (text: string, status = 200) =>
  (response: ServerResponse): void =>
    void response.writeHead(status).end(text);

/** For assert.rejects: a failure of that kind, whose message and details have these words. */
export const fails =
  (kind: ErrorName, words = /./) =>
  (error: unknown): true => {
    assert.ok(isFailure(error, kind), String(error));
    assert.match(`${error.message} ${error.details}`, words);
    return true;
  };
