/**
 * What the account lacks, asked of the servers themselves: by requests that can only fail, since they name a security group or a port that does not
 * exist, a revision that is long gone, or two things of which one alone may be named. Neutron and Nova look at their policy first: who may not is told 403,
 * who may is told what is wrong.
 *
 * Rules for changes are judged by the object that is changed: they are asked of a port or a trunk of ours, with the values it has, where there is one yet.
 * Nova's are judged by the server, which it looks for before: they are asked of one that a port of ours is on.
 */
import { isFailure } from '../../errors/failure.ts';
import type { SubnetId } from '../cloud.ts';
import { askedIn, type Context, subnetsOf } from './context.ts';
import { refuse } from '../wire/asked.ts';
import { object, text } from '../wire/shape.ts';
import { type Port, portOf } from './port.ts';
import { refusalOf } from './refusals.ts';
import type { Answered, Request, Session, Task } from './session.ts';
import type { Subnet } from './subnet.ts';
import { own as ownWords, ownWord } from './tags.ts';

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
    rule: 'create_port:mac_address',
    purpose: 'to make each interface once (only who owns the network may, or an administrator)',
    fields: () => ({ mac_address: 'fa:00:00:00:00:01' }),
  },
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

/** The same for a port that is there: the fields as they are. */
const changes: readonly { readonly rule: string; readonly purpose: string; readonly fields: (port: Port) => object }[] = [
  {
    rule: 'update_port:allowed_address_pairs',
    purpose: 'to let the addresses of Pods out of the interfaces of nodes',
    fields: ({ pairs }) => ({ allowed_address_pairs: pairs.map(({ raw }) => raw) }),
  },
  {
    rule: 'update_port:fixed_ips',
    purpose: 'to give interfaces further addresses (addressing `fixed-ips`, and single IPv6 addresses)',
    fields: ({ fixed }) => ({ fixed_ips: fixed.map(({ subnet, ip }) => ({ subnet_id: subnet, ip_address: ip })) }),
  },
];

/** Dozens of requests, for which nothing waits: a call's usual time would not do where Neutron is slow. */
const LONGEST_ms = 60_000;

/** What is missing, a sentence each, for these subnets. Takes up to a minute, whatever the task has left. Changes nothing. @throws Failure cloud* when it cannot be found out */
export async function missingPermissions(ids: readonly SubnetId[], session: Session, context: Context, { asked }: Task): Promise<string[]> {
  const missing: string[] = [];
  const until_ms = performance.now() + LONGEST_ms;
  const task: Task = { asked, left_ms: () => until_ms - performance.now() };
  if ((await named(missing, context.hasExtension('tag-ports-during-bulk-creation', task))) === false)
    missing.push(
      'Neutron lacks the extension tag-ports-during-bulk-creation, without which a port whose answer was lost is found by nobody: an administrator adds tag_ports_during_bulk_creation to [ml2] extension_drivers, and restarts its server',
    );
  let server: string | undefined;
  for (const id of ids) {
    const [subnet] = (await named(missing, subnetsOf(id, context, task))) ?? [];
    if (subnet === undefined) continue;
    for (const wish of wishes) missing.push(...(await missingFor(wish, subnet, context, task)));
    const there = (await named(missing, context.neutron.ports({ subnet: subnet.id, network: subnet.network }, task))) ?? [];
    const ours = there.filter((port) => ownWord(port.words, ownWords.key) !== undefined);
    server ??= ours.find(({ owner, device }) => owner.startsWith('compute:') && device !== '')?.device;
    const [own] = ours;
    if (own !== undefined) missing.push(...(await missingChanges(own, context, task)));
  }
  if ((await named(missing, context.hasExtension('trunk', task))) === true) missing.push(...(await missingForTrunks(context, task)));
  if (server !== undefined) missing.push(...(await missingForServers(server, session, task)));
  return [...new Set(missing)];
}

/** What cannot even be asked for is missing too. */
async function named<T>(missing: string[], asking: Promise<T>): Promise<T | undefined> {
  try {
    return await asking;
  } catch (error) {
    if (!isFailure(error, 'cloudDenied')) throw error;
    missing.push(aRight(error.details));
    return undefined;
  }
}

function aRight(told: string): string {
  return `a right: ${told}`;
}

/** To detach cannot be asked: Nova would write into the server’s list of actions that it failed. */
async function missingForServers(server: string, session: Session, task: Task): Promise<string[]> {
  const path = `/servers/${encodeURIComponent(server)}`;
  // Nova takes a port or a network, and says so right after it looked at its policy.
  const body = { interfaceAttachment: { port_id: NOBODY, net_id: NOBODY } };
  const [shown, attached] = [
    await session.ask('compute', { method: 'GET', path }, task),
    await session.ask('compute', { method: 'POST', path: `${path}/os-interface`, body }, task),
  ];
  return [
    ...lacking(shown, 'servers: may not os_compute_api:servers:show, to know the nodes'),
    ...lacking(attached, 'servers: may not os_compute_api:os-attach-interfaces:create, to attach interfaces to nodes'),
  ];
}

async function missingFor({ rule, purpose, fields }: Wish, subnet: Subnet, context: Context, task: Task): Promise<string[]> {
  const body = { port: { network_id: subnet.network, security_groups: [NOBODY], ...fields(subnet) } };
  const answer = await context.neutron.ask({ method: 'POST', path: '/ports', body }, task);
  if (answer.status === 201) await unmade(answer, context, task);
  return lacking(answer, `network ${subnet.network}: may not ${rule}, ${purpose}`);
}

/** At a revision that never is: who may is told 412. */
async function missingChanges(port: Port, context: Context, task: Task): Promise<string[]> {
  const missing: string[] = [];
  for (const { rule, purpose, fields } of changes) {
    const path = `/ports/${encodeURIComponent(port.id)}`;
    const answer = await context.neutron.ask(
      { method: 'PUT', path, body: { port: fields(port) }, headers: { 'if-match': 'revision_number=0' } },
      task,
    );
    missing.push(...lacking(answer, `network ${port.network}: may not ${rule}, ${purpose}`));
  }
  return missing;
}

/** To delete one cannot be asked without doing it. */
async function missingForTrunks(context: Context, task: Task): Promise<string[]> {
  const { neutron } = context;
  const missing: string[] = [];
  const ask = async (request: Request, rule: string): Promise<void> => {
    missing.push(...lacking(await neutron.ask(request, task), `trunks: may not ${rule} (for datapath branch alone)`));
  };
  await ask({ method: 'POST', path: '/trunks', body: { trunk: { port_id: NOBODY } } }, 'create_trunk');
  const trunks = neutron.list('trunks', [], (value, at) => text(object(value, at)['id'], `${at}.id`), task);
  const [trunk] = (await named(missing, trunks)) ?? [];
  if (trunk === undefined) return missing;
  const sub_ports = [{ port_id: NOBODY, segmentation_type: 'vlan', segmentation_id: 4094 }];
  for (const action of ['add_subports', 'remove_subports'])
    await ask({ method: 'PUT', path: `/trunks/${encodeURIComponent(trunk)}/${action}`, body: { sub_ports } }, action);
  return missing;
}

/** `sentence`, or what it was refused by, when it was. @throws Failure cloudThrottled, cloudUnavailable */
function lacking(answer: Answered, sentence: string): string[] {
  if (answer.status >= 500 || answer.status === 429) throw refusalOf(answer);
  if (answer.status !== 403) return [];
  return [answer.told === undefined ? sentence : aRight(answer.told)];
}

/** A Neutron without security groups made it after all. */
async function unmade({ body }: Answered, { neutron }: Context, task: Task): Promise<void> {
  if (typeof body !== 'object' || body === null) throw refuse.garbled(askedIn(task), 'a port was made, and it is not told which');
  await neutron.deletePort(portOf(object(body, 'answer')['port'], 'answer.port'), task);
}
