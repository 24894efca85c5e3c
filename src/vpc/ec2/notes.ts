/** What EC2 knows of an interface, a subnet or an instance beyond the model: kept as notes, in the same transaction. */
import { createHash } from 'node:crypto';
import type { Nic, State } from '../model/objects.ts';
import type { Transaction } from '../model/model.ts';

/** The facts there are, all text. Absent ones have a default, so that objects made by the VPC's own API can be shown too. */
export interface Facts {
  /** `<instance> <index>` and what that attachment is called; another attachment makes them void. */
  readonly attachedTo?: string;
  readonly attachment?: string;
  readonly attachedAt_ms?: string;
  readonly deleteOnTermination?: string;
  readonly sourceDestCheck?: string;
  /** `hidden`: the model's IPv6 address was not asked for; `plain`: it is none that may not change; else it is primary. */
  readonly ipv6?: string;
  /** Of a branch. */
  readonly association?: string;
  readonly associatedTo?: string;
  /** Of an instance. */
  readonly reservation?: string;
  readonly launchIndex?: string;
  readonly image?: string;
  /** Of a security group. */
  readonly description?: string;
  /** Of a subnet: `no` unless new interfaces get an IPv6 address unasked. */
  readonly assignIpv6?: string;
}

/** What is known of the object. */
export function factsOf(state: State, id: string): Facts {
  return state.note.get(`ec2 ${id}`)?.facts ?? {};
}

/** Adds or replaces facts. */
export function noteFacts(transaction: Transaction, id: string, facts: Facts): void {
  const all = Object.entries({ ...factsOf(transaction.state, id), ...facts }).filter(([, value]) => value !== undefined);
  transaction.put('note', { id: `ec2 ${id}`, facts: Object.fromEntries(all) });
}

/** Takes the mark from the interface's own IPv6 address: EC2 keeps it until the interface is detached. */
export function loseMark(transaction: Transaction, { id, primary6 }: Nic): void {
  if (primary6 !== undefined && factsOf(transaction.state, id).ipv6 === undefined) noteFacts(transaction, id, { ipv6: 'plain' });
}

/** Forgets what is known of objects that are gone. */
export function tidyNotes(transaction: Transaction): void {
  const { nic, subnet, instance, group, note } = transaction.state;
  for (const { id } of note.values()) {
    const object = /^ec2 (.+)$/.exec(id)?.[1];
    if (object !== undefined && ![nic, subnet, instance, group].some((kind) => kind.has(object))) transaction.remove('note', id);
  }
}

/** How an attachment shows. */
export interface AttachmentFacts {
  readonly id: string;
  readonly at_ms: number;
  readonly deleteOnTermination: boolean;
}

/** The facts of a NIC's attachment; undefined when it has none. */
export function attachmentOf(state: State, nic: Nic): AttachmentFacts | undefined {
  const { attachment } = nic;
  if (attachment === undefined) return undefined;
  const facts = factsOf(state, nic.id);
  const to = `${attachment.instance} ${attachment.deviceIndex}`;
  if (facts.attachedTo !== to || facts.attachment === undefined)
    return { id: derived('eni-attach', `${nic.id} ${to}`), at_ms: nic.createdAt_ms, deleteOnTermination: attachment.deviceIndex === 0 };
  return {
    id: facts.attachment,
    at_ms: Number(facts.attachedAt_ms),
    deleteOnTermination: facts.deleteOnTermination === 'yes',
  };
}

/** What the association of a branch with its trunk is called; undefined when it is no branch. */
export function associationOf(state: State, { id, branch }: Nic): string | undefined {
  if (branch === undefined) return undefined;
  const { association, associatedTo } = factsOf(state, id);
  const to = `${branch.trunk} ${branch.vlan}`;
  return association !== undefined && associatedTo === to ? association : derived('trunk-assoc', `${id} ${to}`);
}

/** An id for something that the VPC's own API made. */
function derived(prefix: string, from: string): string {
  return `${prefix}-0${createHash('sha256').update(from).digest('hex').slice(0, 16)}`;
}
