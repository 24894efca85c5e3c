/**
 * What the account lacks, asked of the servers themselves: by requests that can only fail, since they name a security group or a server that does not exist.
 * Neutron and Nova look at their policy first: who may not is told 403, who may is told what does not exist.
 */
import type { SubnetId } from '../cloud.ts';
import { askedIn, type Context, subnetsOf } from './context.ts';
import { refuse } from '../wire/asked.ts';
import { object } from '../wire/shape.ts';
import { portOf } from './port.ts';
import { refusalOf } from './refusals.ts';
import type { Answered, Session, Task } from './session.ts';
import type { Subnet } from './subnet.ts';

const NOBODY = '00000000-0000-4000-8000-000000000000';

/** One permission by the name of its rule in the policy, and what it is for. */
interface Wish {
  readonly rule: string;
  readonly purpose: string;
  readonly fields: (subnet: Subnet) => object;
}

const wishes: readonly Wish[] = [
  { rule: 'create_port', purpose: 'to make interfaces', fields: () => ({}) },
  {
    rule: 'create_port:fixed_ips:ip_address',
    purpose: 'to choose the addresses of Pods (only who owns the network may, or an administrator)',
    fields: ({ id, pools, cidr }) => ({ fixed_ips: [{ subnet_id: id, ip_address: pools[0]?.start ?? cidr.split('/')[0] }] }),
  },
  {
    rule: 'create_port:allowed_address_pairs',
    purpose: 'to let the addresses of Pods out of the interfaces of nodes (addressing `blocks`)',
    fields: ({ cidr }) => ({ allowed_address_pairs: [{ ip_address: cidr }] }),
  },
  {
    rule: 'create_port:port_security_enabled',
    purpose: 'to switch port security off (for datapath macvlan alone)',
    fields: () => ({ port_security_enabled: false }),
  },
];

/** What is missing, a sentence each, for these subnets. Changes nothing. @throws Failure cloud* when it cannot be found out */
export async function missingPermissions(ids: readonly SubnetId[], session: Session, context: Context, task: Task): Promise<string[]> {
  const missing: string[] = [];
  if (!(await context.hasExtension('tag-ports-during-bulk-creation', task)))
    missing.push(
      'Neutron lacks the extension tag-ports-during-bulk-creation, without which a port whose answer was lost is found by nobody',
    );
  for (const id of ids) {
    const [subnet] = await subnetsOf(id, context, task);
    if (subnet === undefined) continue;
    for (const wish of wishes)
      if (await isForbidden(wish, subnet, context, task)) missing.push(`network ${subnet.network}: may not ${wish.rule}, ${wish.purpose}`);
  }
  const path = `/servers/${NOBODY}/os-interface`;
  for (const [method, rule] of [
    ['GET', 'list'],
    ['POST', 'create'],
  ] as const) {
    const body = method === 'POST' ? { interfaceAttachment: { port_id: NOBODY } } : undefined;
    const answer = await session.ask('compute', { method, path, ...(body !== undefined && { body }) }, task);
    if (answer.status === 403) missing.push(`servers: may not os_compute_api:os-attach-interfaces:${rule}, to attach interfaces to nodes`);
    else if (answer.status >= 500 || answer.status === 429) throw refusalOf(answer);
  }
  return missing;
}

async function isForbidden({ fields }: Wish, subnet: Subnet, context: Context, task: Task): Promise<boolean> {
  const body = { port: { network_id: subnet.network, security_groups: [NOBODY], ...fields(subnet) } };
  const answer = await context.neutron.ask({ method: 'POST', path: '/ports', body }, task);
  if (answer.status === 201) await unmade(answer, context, task);
  if (answer.status >= 500 || answer.status === 429) throw refusalOf(answer);
  return answer.status === 403;
}

/** A Neutron without security groups made it after all. */
async function unmade({ body }: Answered, { neutron }: Context, task: Task): Promise<void> {
  if (typeof body !== 'object' || body === null) throw refuse.garbled(askedIn(task), 'a port was made, and it is not told which');
  await neutron.deletePort(portOf(object(body, 'answer')['port'], 'answer.port'), task);
}
