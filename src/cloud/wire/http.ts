/** One exchange over HTTP/1.1 with keep-alive, a deadline and a size limit, as all drivers make it. No fetch: it costs the agent 20 MiB. */
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';

// By getBuiltinModule: an import of node:http from an ES module loads undici as well (nodejs/node#59686).
const http = process.getBuiltinModule('node:http');
const https = process.getBuiltinModule('node:https');

/** What came back, whole. */
export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** An answer that is too long or not what it says it is. Anything else that goes wrong rejects with the error of the socket. */
export class Unreadable extends Error {}

/** The server cannot be known by its certificate, or there are none to know it by: nothing was sent. */
export class Untrusted extends Error {}

/** One call, before it is made. */
export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD';
  /** `http://HOST:PORT`, `https://HOST:PORT`, either with the path that is before every other, or `unix:/PATH` (which works across network namespaces). */
  readonly endpoint: string;
  /** With its query; begins with a slash. */
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

/** The longest answer that is read: a page of 1000 interfaces with 256 blocks each is 8 MiB. */
const longest = 16 << 20;

/** The idle connections of one driver. */
export interface Connections {
  /** Makes the call once. @throws Unreadable, Untrusted, or the socket's error; when it throws, the server may have done what was asked. */
  exchange(call: HttpCall, deadline_ms: number): Promise<HttpAnswer>;
  close(): void;
}

/** `ca`: certificates in PEM by which servers are known, instead of the system's. */
export function connections({ ca }: { readonly ca?: string } = {}): Connections {
  const kept = { keepAlive: true, maxSockets: 16, maxFreeSockets: 16 };
  const plain = new http.Agent(kept);
  const secure = new https.Agent({ ...kept, ...(ca !== undefined && { ca }) });
  return {
    exchange(call, deadline_ms) {
      const isSecure = call.endpoint.startsWith('https:');
      return exchange(isSecure ? https : http, isSecure ? secure : plain, call, deadline_ms);
    },
    close() {
      plain.destroy();
      secure.destroy();
    },
  };
}

function exchange(
  protocol: typeof http | typeof https,
  agent: InstanceType<typeof http.Agent>,
  call: HttpCall,
  deadline_ms: number,
): Promise<HttpAnswer> {
  const { method, body, headers } = call;
  return new Promise((resolve, reject) => {
    const request = protocol.request({
      ...addressOf(call),
      method,
      agent,
      signal: AbortSignal.timeout(deadline_ms),
      headers: { ...headers, ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }) },
    });
    request.on('error', (error) => reject(error.name === 'AbortError' ? new Error(`no answer within ${deadline_ms} ms`) : trusting(error)));
    request.on('response', (response) => {
      read(response).then((text) => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }), reject);
    });
    request.end(body);
  });
}

/** What OpenSSL says of a chain of certificates (X509_V_ERR_…, as Node names them), and Node of a name that is not in one. */
const ofCertificates =
  /^(ERR_TLS_CERT_ALTNAME_INVALID|CERT_\w+|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|PATH_LENGTH_EXCEEDED|(DEPTH_ZERO_)?SELF_SIGNED_CERT\w*|UNABLE_TO_(GET_ISSUER_CERT|VERIFY_LEAF_SIGNATURE)\w*)$/;

function trusting(error: NodeJS.ErrnoException): Error {
  const { code = '' } = error;
  if (!ofCertificates.test(code)) return error;
  const ofTime = /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/.test(code) ? `, by our clock, which says ${new Date().toISOString()}` : '';
  return new Untrusted(`${error.message}${ofTime} (${code})`, { cause: error });
}

function addressOf({ endpoint, path }: HttpCall): { socketPath: string; path: string } | { hostname: string; port: string; path: string } {
  if (endpoint.startsWith('unix:')) return { socketPath: endpoint.slice('unix:'.length), path };
  const { hostname, port, pathname } = new URL(endpoint);
  // Brackets are part of the URL, not of an IPv6 address.
  return { hostname: hostname.replace(/^\[(.*)\]$/, '$1'), port, path: pathname.replace(/\/$/, '') + path };
}

async function read(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > longest) throw new Unreadable(`more than ${longest} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
