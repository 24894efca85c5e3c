/** Connections of an address's old owner must not reach the next one. */
import { asFailure, sentence } from '../errors/failure.ts';
import { flushConntrack } from '../kernel/conntrack.ts';
import type { Log } from '../log.ts';
import type { Ip } from '../net/address.ts';

/** Flushes the host's conntrack of them. Resolves always: a failure is a line in the log. */
export async function forgetConnections(log: Log, addresses: readonly Ip[]): Promise<void> {
  for (const address of addresses) {
    try {
      await flushConntrack(undefined, address);
    } catch (error) {
      log.warn(`conntrack of ${address} was not flushed: ${sentence(asFailure(error))}`);
    }
  }
}
