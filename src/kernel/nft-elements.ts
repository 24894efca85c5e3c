/**
 * Elements of nftables sets and maps by raw nfnetlink (linux/netfilter/nf_tables.h), about 40 µs a change: what changes with each Pod is an
 * element, not a rule. Sockets come from `new NetlinkSocket(NETFILTER)`, opened in the namespace that holds the table.
 *
 * Invariant: the changes of one call are one transaction: all of them or none.
 */
import { errno } from './errno.ts';
import { flag, Message } from './netlink/message.ts';
import { nfgenmsg, protocolFamily, subsystem, typeIn } from './netlink/netfilter.ts';
import type { NetlinkError, NetlinkSocket } from './netlink/socket.ts';
import { bytesOfValue, type SetValue } from './nft-values.ts';

const BATCH_BEGIN = 16;
const BATCH_END = 17;
const NEWSETELEM = typeIn(subsystem.nftables, 12);
const DELSETELEM = typeIn(subsystem.nftables, 14);
/** Attributes: enum nft_set_elem_list_attributes, nft_list_attributes, nft_set_elem_attributes, nft_data_attributes. */
export const LIST = { table: 1, set: 2, elements: 3 } as const;
export const LIST_ELEMENT = 1;
export const ELEMENT = { key: 1, data: 2, flags: 3 } as const;
export const DATA_VALUE = 1;

/** A set or map by its name. */
export interface SetName {
  readonly family: keyof typeof protocolFamily;
  readonly table: string;
  readonly set: string;
}

/** One element. */
export interface SetElement extends SetName {
  readonly key: SetValue;
  /** What a map leads to. */
  readonly data?: SetValue;
}

/** One element in or out. */
export interface ElementChange {
  readonly action: 'add' | 'delete';
  readonly element: SetElement;
}

/** One change that the kernel refused. */
export interface ElementRefusal {
  readonly change: ElementChange;
  readonly error: NetlinkError;
}

/**
 * Makes all the changes in one transaction. With `tolerant`, an element that is there already (add) or gone (delete) is as good as changed; a map's
 * element with other data never is: delete it in an earlier change.
 * Answers the refusals, by change; none means that all is done, any means that nothing is.
 * @throws NetlinkError when the kernel refuses the transaction as such (no nf_tables, no CAP_NET_ADMIN).
 */
export function changeElements(socket: NetlinkSocket, changes: readonly ElementChange[], tolerant: boolean): ElementRefusal[] {
  let wanted = changes;
  // Each round drops the deletions of what is gone, so it ends. One refused deletion undoes the transaction, and DESTROYSETELEM needs Linux 6.3.
  for (;;) {
    const errors = socket.transaction(
      new Message(BATCH_BEGIN, 0, nfgenmsg(0, subsystem.nftables)),
      wanted.map((change) => messageFor(change, tolerant)),
      new Message(BATCH_END, 0, nfgenmsg(0, subsystem.nftables)),
    );
    const refusals = wanted.flatMap((change, i): ElementRefusal[] => {
      const error = errors[i];
      return error === undefined ? [] : [{ change, error }];
    });
    const isGone = ({ change, error }: ElementRefusal): boolean => tolerant && change.action === 'delete' && error.errno === errno.ENOENT;
    const serious = refusals.filter((refusal) => !isGone(refusal));
    if (refusals.length === 0 || serious.length > 0) return serious;
    const gone = new Set(refusals.map(({ change }) => change));
    wanted = wanted.filter((change) => !gone.has(change));
  }
}

/** Adds one element. @throws NetlinkError: ENOENT no such table or set, EEXIST (unless `tolerant`), EINVAL a key of another type than the set's. */
export function addElement(socket: NetlinkSocket, element: SetElement, tolerant = false): void {
  changeOne(socket, { action: 'add', element }, tolerant);
}

/** Deletes one element. @throws NetlinkError: ENOENT (unless `tolerant`), EINVAL. */
export function deleteElement(socket: NetlinkSocket, element: SetElement, tolerant = false): void {
  changeOne(socket, { action: 'delete', element }, tolerant);
}

function changeOne(socket: NetlinkSocket, change: ElementChange, tolerant: boolean): void {
  const [refusal] = changeElements(socket, [change], tolerant);
  if (refusal !== undefined) throw refusal.error;
}

function messageFor({ action, element }: ElementChange, tolerant: boolean): Message {
  const add = action === 'add';
  const type = add ? NEWSETELEM : DELSETELEM;
  const message = new Message(type, add ? flag.create | (tolerant ? 0 : flag.excl) : 0, nfgenmsg(protocolFamily[element.family]));
  message.text(LIST.table, element.table).text(LIST.set, element.set);
  return message.nest(LIST.elements, () =>
    message.nest(LIST_ELEMENT, () => {
      message.nest(ELEMENT.key, () => message.bytesAttribute(DATA_VALUE, bytesOfValue(element.key)));
      const { data } = element;
      if (data !== undefined) message.nest(ELEMENT.data, () => message.bytesAttribute(DATA_VALUE, bytesOfValue(data)));
    }),
  );
}
