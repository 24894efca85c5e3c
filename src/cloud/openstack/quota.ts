/** What the project will soon have no more of, before Neutron refuses it. Nova has no quota of interfaces. */
import type { Shortage } from '../cloud.ts';
import { understood } from '../wire/asked.ts';
import { Mismatch, object, type Read } from '../wire/shape.ts';
import type { Context } from './context.ts';
import { refusalOf } from './refusals.ts';
import type { Session, Task } from './session.ts';

/** With less than this part of the ports left somebody is told. */
const FEW = 0.1;

interface Quota {
  readonly used: number;
  readonly reserved: number;
  /** Negative: there is none. */
  readonly limit: number;
}

/** One request. Nothing where Neutron does not tell this account, or cannot. @throws Failure cloud* */
export async function shortages(session: Session, { neutron }: Context, task: Task): Promise<Shortage[]> {
  const { project } = await session.self(task);
  const answer = await neutron.ask({ method: 'GET', path: `/quotas/${encodeURIComponent(project)}/details` }, task);
  if (answer.status === 403 || answer.status === 404) return [];
  if (answer.status !== 200) throw refusalOf(answer);
  const { used, reserved, limit } = understood(answer.body, portsIn, answer.asked);
  const left = Math.max(0, limit - used - reserved);
  if (limit < 0 || left >= limit * FEW) return [];
  const text =
    `project ${project} has ${left} of its ${limit} ports left, and each interface and each block of addresses takes one: ` +
    `raise its quota (openstack quota set --ports ${Math.max(2 * limit, 1)} ${project}), or delete ports that nobody needs`;
  return [{ what: 'ports', text }];
}

const portsIn: Read<Quota> = (value, at) => {
  const port = object(object(object(value, at)['quota'], `${at}.quota`)['port'], `${at}.quota.port`);
  const count = (name: string): number => {
    const found = port[name];
    if (typeof found === 'number' && Number.isInteger(found)) return found;
    throw new Mismatch(`${at}.quota.port.${name} should be a whole number`);
  };
  return { used: count('used'), reserved: count('reserved'), limit: count('limit') };
};
