/**
 * One HTTP/2 connection to an API server (RFC 9113), made when it is needed and made again when it died. All calls and watches of a process share it:
 * a cluster of 5000 nodes costs the API server 5000 connections, not three times that.
 *
 * Invariants
 * - a peer that is gone without a word is found out by pings, within 20 s, also when nothing but watches is under way
 * - a server that asks us to leave (GOAWAY, as `--goaway-chance` and every restart do) gets no new streams; those under way come to their end
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from 'node:http2';
import type { Access, Credentials } from './access.ts';

/** How soon a peer that is gone is found out. */
export interface Pings {
  /** Between two pings, and how long the answer to one may take. */
  readonly every_ms: number;
  /** How long after a call was not answered: then there is reason for doubt. */
  readonly doubt_ms: number;
}

const usual: Pings = { every_ms: 10_000, doubt_ms: 3_000 };

/** How far a server may be ahead of us in one answer: with the usual 64 KiB, a long list from far away would be sent a piece a round trip. */
const STREAM_WINDOW_bytes = 1 << 20;

/** A connection that lasts as long as somebody needs it. */
export interface Connection {
  /** Opens a stream. What is wrong with the connection comes as its error. @throws Failure credentialUnreadable */
  request(headers: OutgoingHttpHeaders, ends: boolean): ClientHttp2Stream;
  /** A call was not answered in time: asks whether anybody is there, and makes the next connection anew when not. */
  doubt(): void;
  /** Credentials that are proven when connecting have changed: the next stream gets a connection of its own. */
  leave(): void;
  /** Ends it with all that is under way. */
  close(): void;
}

/** Connects nowhere yet. The access is asked for credentials each time before connecting. */
export function openConnection(access: Access, { every_ms, doubt_ms }: Pings = usual): Connection {
  let current: ClientHttp2Session | undefined;
  const all = new Set<ClientHttp2Session>();
  const retire = (session: ClientHttp2Session): void => {
    if (current === session) current = undefined;
  };
  const make = (): ClientHttp2Session => {
    const session = connectTo(access, access.credentials());
    all.add(session);
    session.on('goaway', () => retire(session));
    session.on('close', () => {
      retire(session);
      all.delete(session);
    });
    keepAsking(session, every_ms);
    return session;
  };
  return {
    request(headers, ends) {
      if (current === undefined || current.closed || current.destroyed) current = make();
      try {
        return current.request(headers, { endStream: ends });
      } catch {
        // It has no numbers for streams left, after a billion of them.
        current = make();
        return current.request(headers, { endStream: ends });
      }
    },
    doubt() {
      if (current !== undefined) ask(current, doubt_ms);
    },
    leave() {
      // Gentle: it ends with its last stream.
      current?.close();
      current = undefined;
    },
    close() {
      for (const session of all) session.destroy();
    },
  };
}

function connectTo({ server, serverName, unverified }: Access, { client, authority }: Credentials): ClientHttp2Session {
  const session = connect(new URL(server).origin, {
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(authority === undefined ? {} : { ca: authority }),
    ...(client === undefined ? {} : { cert: client.certificate, key: client.key }),
    rejectUnauthorized: !unverified,
    minVersion: 'TLSv1.2',
    settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_bytes },
  });
  session.once('connect', () => session.setLocalWindowSize(4 * STREAM_WINDOW_bytes));
  // Each stream gets the error too; but without a listener here it would end the process.
  session.on('error', () => {});
  return session;
}

/** Pings for as long as the session lives. Does not keep the process alive. */
function keepAsking(session: ClientHttp2Session, every_ms: number): void {
  const timer = setInterval(() => ask(session, every_ms), every_ms);
  timer.unref();
  session.once('close', () => clearInterval(timer));
}

/** Ends the session when it does not answer. */
function ask(session: ClientHttp2Session, patience_ms: number): void {
  const silent = setTimeout(() => session.destroy(new Error(`no sign of life within ${patience_ms} ms`)), patience_ms);
  silent.unref();
  const heard = (): void => clearTimeout(silent);
  session.once('close', heard);
  // A session that is still connecting cannot ping: it has the same time to get there.
  if (session.destroyed || session.connecting) {
    session.once('connect', heard);
    return;
  }
  session.ping(() => {
    heard();
    session.off('close', heard);
  });
}
