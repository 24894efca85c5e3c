/**
 * Waiting for what a cluster does. As elsewhere, but looked at less often, since each look costs API server and kubectl the processors that the cluster needs
 * itself, and with more patience: a machine that runs the tests may be half as fast as ours.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually as atLast } from '../life/lab.ts';

const EVERY_ms = 100;
const PATIENCE = 2;

/** Waits until `probe` holds (no exception, not false), for twice so many seconds; then fails with its last word. */
export function eventually<T>(what: string, probe: () => T | false | Promise<T | false>, limit_s = 15): Promise<T> {
  let looks = 0;
  const look = async (): Promise<T | false> => {
    if (looks++ > 0) await sleep(EVERY_ms);
    return await probe();
  };
  return atLast(what, look, limit_s * PATIENCE);
}
