/** EC2 is eventually consistent: an interface that it has just made it may not know everywhere for some seconds. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NicId } from '../cloud.ts';
import type { Ec2 } from './ec2.ts';
import { Refused } from './refused.ts';
import { type Aws, isUnknownNic } from './surroundings.ts';

const FIRST_PAUSE_ms = 100;
const LONGEST_PAUSE_ms = 1000;

/**
 * The same, for calls about an interface that was made for the sake of them: what EC2 refuses since it does not know that one yet was not done, and is asked
 * for again within the call's deadline. The last refusal is answered when that is over.
 */
export function patiently(aws: Aws, nic: NicId): Aws {
  const ask: Ec2['ask'] = async (call, left) => {
    for (let pause_ms = FIRST_PAUSE_ms; ; pause_ms = Math.min(2 * pause_ms, LONGEST_PAUSE_ms)) {
      const answer = await aws.ec2.ask(call, left);
      if (!(answer instanceof Refused) || !isUnknownNic(answer) || aws.known.newborn_ms(nic) === undefined) return answer;
      if (pause_ms >= left()) return answer;
      await sleep(pause_ms);
    }
  };
  return { ...aws, ec2: { ...aws.ec2, ask } };
}
