/**
 * What the account lacks, asked of Octavia itself: by a list, and by a request to make a load balancer without an address, which can only fail. Octavia looks at
 * its policy first: who may not is told 403, who may is told what is wrong (400).
 */
import type { Session, Task } from '../session.ts';
import { octaviaRefusal } from './refusals.ts';

const wishes = [
  { rule: 'get_all', purpose: 'to find them', request: { method: 'GET', path: '/lbaas/loadbalancers?limit=1' } },
  { rule: 'post', purpose: 'to make them', request: { method: 'POST', path: '/lbaas/loadbalancers', body: { loadbalancer: {} } } },
] as const;

/** What is missing, a sentence each. Changes nothing. @throws Failure cloud* when it cannot be found out */
export async function missingForBalancers(session: Session, task: Task): Promise<string[]> {
  const missing: string[] = [];
  for (const { rule, purpose, request } of wishes) {
    const answer = await session.ask('load-balancer', request, task);
    if (answer.status >= 500 || answer.status === 429) throw octaviaRefusal(answer);
    if (answer.told !== undefined) missing.push(`a right: ${answer.told}`);
    else if (answer.status === 403)
      missing.push(`load balancers: may not os_load-balancer_api:loadbalancer:${rule}, ${purpose} (role load-balancer_member)`);
  }
  return missing;
}
