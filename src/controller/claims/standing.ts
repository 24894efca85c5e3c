/** How a claim stands, for `kubectl wait` and `kubectl describe`: the condition Ready. */
import type { IpClaimStatus } from '../../store/ip-claim.ts';
import { withReady } from '../conditions.ts';
import { shortened } from '../shortened.ts';
import type { Wish } from './wish.ts';

const LONGEST = 1000;

/** The status with the condition as it is now; the very same one when there is no news. `wishes`: those of the claim's Pods. */
export function withStanding(status: IpClaimStatus, wishes: readonly Wish[], now_ms: number): IpClaimStatus {
  const troubled = wishes.find(({ trouble }) => trouble !== undefined);
  const number = status.addresses.length;
  // Nothing was asked for yet.
  if (troubled === undefined && number === 0 && status.conditions.length === 0) return status;
  const standing =
    troubled?.trouble === undefined
      ? {
          status: 'True' as const,
          reason: 'Served',
          message: `${number} ${number === 1 ? 'address is' : 'addresses are'} kept, and no Pod waits for one`,
        }
      : {
          status: 'False' as const,
          reason: 'PodWaits',
          message: shortened(`Pod ${troubled.asked.pod}: ${troubled.trouble.text}`, LONGEST),
        };
  const before = status.conditions.find(({ type }) => type === 'Ready');
  if (before?.status === standing.status && before.message === standing.message && before.reason === standing.reason) return status;
  return { ...status, conditions: withReady(status.conditions, standing, now_ms) };
}
