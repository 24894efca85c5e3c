/**
 * `flatpod cni crowd PATH`: answers requests to the IPAM plugin while there is no agent and several come at once, or soon after each other. Started by one of their executables
 * (src/cni/crowd.c), with the socket of that name as descriptor 3; ends when none has come for a moment.
 *
 * Invariants
 * - it removes the name before it stops to listen, and answers whoever had connected by then: nobody is left in the queue
 * - nothing of the database is remembered; one that was moved aside is not written to any more
 * - who takes the name away, or the folder, ends it
 */
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { frameExchange } from '../agent/frame-exchange.ts';
import { type Exchange, listen } from '../agent/listen.ts';
import { createLog } from '../log.ts';
import { openDatabaseBriefly } from '../store/sqlite.ts';
import { answerTo } from './cni.ts';

/** So long nobody came: as crowd.c, for which who comes sooner is not alone. */
const ALONE_ms = 3000;
/** After that it ends in any case: it may be of a version that is not installed any more. */
const LONGEST_ms = 60_000;
const LOOK_ms = 100;

/** Listens, and resolves; rejects when the socket cannot be used. `state` is the directory of the state. */
export async function answerCrowd(state: string, path: string): Promise<void> {
  const log = createLog('cni', 'warn');
  const open = sameDatabase(state);
  const began = performance.now();
  let came = began;
  const exchange = (): Exchange => {
    came = performance.now();
    return frameExchange((frame) => answerTo(open, log, frame));
  };
  const name = inodeOf(path);
  const listening = await listen(path, exchange);
  let asked = false;
  // Whoever has connected is answered still.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void (asked = true));
  const timer = setInterval(() => {
    const isOurs = name !== undefined && inodeOf(path) === name;
    const now = performance.now();
    if (isOurs && !asked && now - came < ALONE_ms && now - began < LONGEST_ms) return;
    clearInterval(timer);
    if (isOurs) rmSync(path, { force: true });
    // Who has looked the name up already connects in this time.
    setTimeout(() => listening.close(() => undefined), LOOK_ms);
  }, LOOK_ms);
}

/** The database, opened once for as long as it is the file of its name. */
function sameDatabase(state: string): () => DatabaseSync {
  const path = join(state, 'state.db');
  let held: { readonly database: DatabaseSync; readonly inode: number | undefined } | undefined;
  return () => {
    if (held !== undefined && held.inode === inodeOf(path)) return held.database;
    held?.database.close();
    held = undefined;
    const database = openDatabaseBriefly(state);
    held = { database, inode: inodeOf(path) };
    return database;
  };
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
