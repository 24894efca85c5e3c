/** A proxy between any driver and its server that does to one call after the other what networks, gateways and clouds do on a bad day. */
import { type IncomingHttpHeaders, type IncomingMessage, request as send, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { scriptedServer } from './scripted-server.ts';

/** What can happen to a call. `stale` befalls reads alone: another call is let through. */
export type CallFault =
  /** It never reaches the server; the connection is cut. */
  | { readonly kind: 'cutRequest' }
  /** It is done, and the connection is cut. */
  | { readonly kind: 'cutAnswer' }
  /** It is done, and the answer comes late. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** It is not done; the cloud's own words for too many calls. */
  | { readonly kind: 'throttle' }
  /** What the same read was answered before, by the proxy's clock not longer ago than that. */
  | { readonly kind: 'stale'; readonly notOlderThan_ms: number }
  /** It is done; half of the answer comes as if it were the whole. */
  | { readonly kind: 'truncate' }
  /** It is not done; the cloud's own words for what the account may not do. */
  | { readonly kind: 'denied' }
  /** It is done; if it lists subnets, an empty list comes. */
  | { readonly kind: 'withoutSubnets' }
  /** It is not done; a gateway's page comes instead of an answer. */
  | { readonly kind: 'html' }
  /** It is not done, and no answer ever comes: whoever asked is gone. */
  | { readonly kind: 'hangBefore' }
  /** It is done, and no answer ever comes. `done` is called when it is. */
  | { readonly kind: 'hangAfter'; readonly done: () => void }
  /** It is done, or its answer comes, not before that resolves; done it is also when whoever asked is gone by then. */
  | { readonly kind: 'hold'; readonly what: 'request' | 'answer'; readonly until: Promise<unknown> }
  /** The connection is cut at once, and what was asked is done when that resolves: whoever asked may have decided otherwise by then. */
  | { readonly kind: 'lateRequest'; readonly until: Promise<unknown> };

/** An HTTP answer. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** How a cloud's calls look on the wire. */
export interface Dialect {
  /** The call's name: `AssignPrivateIpAddresses`, `PUT /ports`. */
  readonly nameOf: (call: WireCall) => string;
  readonly isRead: (name: string) => boolean;
  /** Whether it only asks whether something may be done, by a request that can do nothing. Absent: there are none of that kind. */
  readonly isQuestion?: (call: WireCall) => boolean;
  /** What is the same in two requests for the same thing: without signatures and times. The URL and the body when absent. */
  readonly sameness?: (call: WireCall) => string;
  /** Too many calls, in the cloud's own words. */
  readonly throttled: (name: string) => Reply;
  /** Not permitted, in the cloud's own words. */
  readonly denied?: (name: string) => Reply;
  /** The same answer with an empty list of subnets; undefined: it is none, or has none. */
  readonly withoutSubnets?: (name: string, text: string) => string | undefined;
  /** Where the call goes, when not to the one server. */
  readonly target?: (path: string) => string;
  /** The answer as the driver is to see it: addresses in it lead through the proxy too. */
  readonly through?: (text: string, call: WireCall, proxy: string) => string;
}

/** A request as it came. */
export interface WireCall {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

/** A request that the proxy has met. */
export interface Met {
  /** From 1. */
  readonly number: number;
  readonly name: string;
  /** Nothing is changed by it. */
  readonly isRead: boolean;
}

/** See the head of this file. */
export interface FaultProxy extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** All requests so far. */
  readonly calls: readonly Met[];
  /** What befalls the call; nothing when undefined. Asked once for each. */
  befall: (call: Met) => CallFault | undefined;
}

const PAGE = '<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1><p>The proxy got no answer.</p></body></html>';
/** Earlier answers that are kept for each read. */
const MOST_KEPT = 3;

/** Listens on a port of the kernel's choice. `server`: `http://HOST:PORT`; `now_ms`: by which answers grow old. */
export async function faultProxy(server: string, dialect: Dialect, now_ms: () => number = Date.now): Promise<FaultProxy> {
  const calls: Met[] = [];
  const earlier = new Map<string, { readonly at_ms: number; readonly answer: Reply }[]>();
  const listening = await scriptedServer((request, response) => {
    void pass(request, response).catch(() => response.destroy());
  });
  const { url } = listening;
  const proxy: FaultProxy = {
    url,
    calls,
    befall: () => undefined,
    [Symbol.asyncDispose]: () => listening[Symbol.asyncDispose](),
  };

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call: WireCall = { method: request.method ?? '', path: request.url ?? '', body: await textOf(request), headers: request.headers };
    const name = dialect.nameOf(call);
    const met = { number: calls.length + 1, name, isRead: dialect.isRead(name) || dialect.isQuestion?.(call) === true };
    calls.push(met);
    const fault = proxy.befall(met);
    switch (fault?.kind) {
      case 'cutRequest':
        return void response.destroy();
      case 'hangBefore':
        return;
      case 'lateRequest':
        response.destroy();
        await fault.until;
        return void (await forwarded(dialect.target?.(call.path) ?? server + call.path, call, request.headers));
      case 'throttle':
        return answerWith(response, dialect.throttled(name));
      case 'denied':
        if (dialect.denied === undefined) throw new Error('nobody has written down how this cloud denies a call');
        return answerWith(response, dialect.denied(name));
      case 'html':
        return answerWith(response, { status: 502, headers: { 'content-type': 'text/html' }, text: PAGE });
      default:
    }
    const key = `${call.method} ${dialect.sameness?.(call) ?? `${call.path} ${call.body}`}`;
    if (fault?.kind === 'stale' && met.isRead) {
      const old = earlier.get(key)?.find(({ at_ms }) => now_ms() - at_ms <= fault.notOlderThan_ms);
      if (old !== undefined) return answerWith(response, old.answer);
    }
    if (fault?.kind === 'hold' && fault.what === 'request') await fault.until;
    const reply = await forwarded(dialect.target?.(call.path) ?? server + call.path, call, request.headers);
    const answer = { ...reply, text: dialect.through?.(reply.text, call, url) ?? reply.text };
    if (met.isRead && answer.status === 200) earlier.set(key, [...(earlier.get(key) ?? []), { at_ms: now_ms(), answer }].slice(-MOST_KEPT));
    if (fault?.kind === 'hangAfter') return fault.done();
    if (fault?.kind === 'cutAnswer') return void response.destroy();
    if (fault?.kind === 'delay') await sleep(fault.ms);
    if (fault?.kind === 'hold' && fault.what === 'answer') await fault.until;
    answerWith(response, { ...answer, text: mangled(fault, name, answer.text) });
  }

  function mangled(fault: CallFault | undefined, name: string, text: string): string {
    if (fault?.kind === 'truncate') return text.slice(0, text.length / 2);
    return (fault?.kind === 'withoutSubnets' ? dialect.withoutSubnets?.(name, text) : undefined) ?? text;
  }
  return proxy;
}

function answerWith(response: ServerResponse, { status, headers, text }: Reply): void {
  const { 'content-length': _length, 'transfer-encoding': _encoding, connection: _connection, ...kept } = headers;
  response.writeHead(status, kept).end(text);
}

async function textOf(stream: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** With the headers as they came: the host among them may be signed. */
function forwarded(url: string, { method, body }: WireCall, headers: IncomingHttpHeaders): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const call = send(url, { method, headers, agent: false }, (answer) => {
      textOf(answer).then((text) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }), reject);
    });
    call.on('error', reject);
    call.end(body);
  });
}
