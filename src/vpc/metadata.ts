/**
 * A cloud's metadata service: http://169.254.169.254 inside every instance, each with answers of its own. The address stands on the loopback of the
 * instance's namespace, where the fabric puts it, so that the service needs no network of the instance's; of scope host, or the instance would speak from it. Pods do not reach it: what does not come from
 * the instance itself is hung up on, which on a cloud is the work of the answers' hop limit of 1.
 */
import { statSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { asFailure, sentence } from '../errors/failure.ts';
import { newAddress } from '../kernel/netlink/address.ts';
import { NAMED, openNetns } from '../kernel/netns.ts';
import { listenAt } from '../kernel/sockets.ts';
import type { InstanceId } from '../cloud/cloud.ts';
import type { Log } from '../log.ts';
import { parseIp } from '../net/address.ts';
import { instanceNetns } from './fabric/names.ts';
import type { State } from './model/objects.ts';

const ADDRESS = parseIp('169.254.169.254');
const PORT = 80;
const LOOPBACK = 1;
const DEADLINE_ms = 5_000;
const LOOK_EVERY_ms = 1_000;

/** The metadata services of a VPC's instances. */
export interface Metadata {
  /** Opens those of new instances, closes those of ended ones. What cannot be opened is logged, and tried again the next time. */
  follow(state: State): void;
  /** Closes all: their namespaces are no longer held. */
  close(): Promise<void>;
}

/** Serves what `answerer` gives for each instance. */
export function metadataIn(vpc: string, log: Log, answerer: (instance: InstanceId) => RequestListener): Metadata {
  const open = new Map<InstanceId, { readonly server: Server; readonly path: string; readonly inode: number }>();
  const closing = new Set<Promise<void>>();
  const end = (id: InstanceId, server: Server): void => {
    if (open.get(id)?.server === server) open.delete(id);
    const closed = new Promise<void>((resolve) => server.close(() => resolve())).then(() => void closing.delete(closed));
    closing.add(closed);
    server.closeAllConnections();
  };
  // A socket keeps its namespace alive. One that lost its name is given up, so that it dies as it would without us, and the instance gets another.
  const looking = setInterval(() => {
    for (const [id, { server, path, inode }] of open) if (inodeOf(path) !== inode) end(id, server);
  }, LOOK_EVERY_ms);
  looking.unref();
  return {
    follow(state) {
      const running = [...state.instance.values()].filter((one) => one.kind === 'vm' && one.state === 'running');
      const ids = new Set(running.map(({ id }) => id));
      for (const [id, { server }] of open) if (!ids.has(id)) end(id, server);
      for (const { id, name } of running) {
        if (open.has(id)) continue;
        const server = createServer({ headersTimeout: DEADLINE_ms, requestTimeout: DEADLINE_ms }, answerer(id));
        const path = `${NAMED}/${instanceNetns(vpc, name)}`;
        open.set(id, { server, path, inode: inodeOf(path) });
        const failed = (error: unknown): void => {
          end(id, server);
          log.error(sentence(asFailure(error)), { instance: id });
        };
        try {
          listenInside(path, server).catch(failed);
        } catch (error) {
          failed(error);
        }
      }
    },
    async close() {
      clearInterval(looking);
      for (const [id, { server }] of open) end(id, server);
      await Promise.all(closing);
    },
  };
}

/** What namespace the name stands for; 0: none. */
function inodeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? 0;
}

function listenInside(path: string, server: Server): Promise<void> {
  using netns = openNetns(path);
  const socket = netns.socket();
  try {
    socket.request(newAddress({ link: LOOPBACK, address: ADDRESS, length: 32, scope: 'host' }));
  } finally {
    socket.close();
  }
  server.on('connection', (client) => {
    // On the instance itself the kernel takes the address asked for as the source too.
    if (client.remoteAddress !== ADDRESS) client.destroy();
  });
  return listenAt(netns, ADDRESS, PORT, server);
}
