/** Load balancers and security groups at the account's pace: what paced.ts is for interfaces. */
import type { LoadBalancers } from '../load-balancers.ts';
import type { SecurityGroup } from '../security-group.ts';
import type { Turn } from './paced.ts';

/** The same, in turn with all other calls of the account. */
export function pacedBalancers(balancers: LoadBalancers, turn: Turn): LoadBalancers {
  return {
    name: balancers.name,
    list: (tags) => turn('read', 'list load balancers', () => balancers.list(tags)),
    look: (want) => turn('read', `look at ${want.name}`, () => balancers.look(want)),
    leave: (tags) => turn('read', 'look at what is left', () => balancers.leave(tags)),
    perform: (step) => turn(step.kind, step.text, () => balancers.perform(step)),
  };
}

/** The same, in turn with all other calls of the account. */
export function pacedGroup(group: SecurityGroup, turn: Turn): SecurityGroup {
  return {
    name: group.name,
    next: (blocks) => turn('read', 'look at the security group', () => group.next(blocks)),
    perform: (step) => turn(step.kind, step.text, () => group.perform(step)),
  };
}
