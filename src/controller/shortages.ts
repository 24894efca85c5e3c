/** Says what the account of the cloud will soon have no more of, before something is refused for it. */
import type { Cloud } from '../cloud/cloud.ts';
import { asFailure, sentence } from '../errors/failure.ts';
import type { Log } from '../log.ts';

/** Looks once at each call, and tells of each thing when it becomes scarce, not while it stays so. Never rejects: nothing depends on it. */
export function shortageTeller({ cloud, log }: { readonly cloud: Cloud; readonly log: Log }): () => Promise<void> {
  let told: ReadonlySet<string> = new Set();
  return async () => {
    try {
      const found = (await cloud.shortages?.()) ?? [];
      for (const { what, text } of found) if (!told.has(what)) log.warn(`${cloud.name}: ${text}`, { scarce: what });
      told = new Set(found.map(({ what }) => what));
    } catch (error) {
      log.debug(`${cloud.name}: what is scarce could not be asked: ${sentence(asFailure(error))}`);
    }
  };
}
