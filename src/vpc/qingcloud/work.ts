/** What jobs do when they end. */
import type { Transaction } from '../model/model.ts';
import { attachNow, detachNow } from './attach.ts';
import { deleteBalancersNow, updateBalancersNow } from './balancers.ts';
import { applyGroupNow } from './groups.ts';
import { terminateNow } from './instances.ts';
import type { Work } from './jobs.ts';
import type { Switches } from './switches.ts';
import { speakersOf } from './vip-holders.ts';
import { allocateNow, releaseNow } from './vips.ts';

/** Does the work to those resources. Returns how many it could not be done to. */
export function doWork(transaction: Transaction, work: Work, done: readonly string[], switches: Switches): number {
  switch (work.kind) {
    case 'attach':
      return attachNow(transaction, work.instance, done);
    case 'detach':
      return detachNow(transaction, done);
    case 'allocate':
      return allocateNow(transaction, done, work.of, speakersOf(switches));
    case 'release':
      return releaseNow(transaction, done);
    case 'terminate':
      return terminateNow(transaction, done);
    case 'applyGroup':
      return applyGroupNow(transaction, work.group, done);
    case 'updateBalancers':
      return updateBalancersNow(transaction, done);
    case 'deleteBalancers':
      return deleteBalancersNow(transaction, done);
    case 'record':
      return 0;
    default:
      return work satisfies never;
  }
}
