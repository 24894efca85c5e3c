/**
 * The books: Neutron's objects as it told of them, kept as notes of the VPC's state, so that a fabric that was restarted needs to ask nobody.
 * (It could not: Neutron serves one request at a time and waits for our answer.)
 */
import type { Transaction } from '../model/model.ts';
import type { State } from '../model/objects.ts';
import type { NeutronNetwork, NeutronPort, NeutronRule, NeutronSubnet, ObjectEvent, TrunkEvent } from './event.ts';

/** A port, and when it got the address pairs it has. */
export interface BookedPort extends NeutronPort {
  readonly pairsSince_ms: number;
}

/** The parent of a trunk. */
interface Trunk {
  readonly id: string;
  readonly port: string;
}

/** A port on a trunk. */
interface Subport {
  /** The port's. */
  readonly id: string;
  readonly trunk: string;
  readonly vlan: number;
}

interface Group {
  readonly id: string;
  readonly name: string;
}

/** Everything by id. */
export interface Books {
  readonly network: ReadonlyMap<string, NeutronNetwork>;
  readonly subnet: ReadonlyMap<string, NeutronSubnet>;
  readonly port: ReadonlyMap<string, BookedPort>;
  readonly trunk: ReadonlyMap<string, Trunk>;
  readonly subport: ReadonlyMap<string, Subport>;
  readonly group: ReadonlyMap<string, Group>;
  readonly rule: ReadonlyMap<string, NeutronRule>;
}
type Shelf = keyof Books;
type Entry<S extends Shelf> = Books[S] extends ReadonlyMap<string, infer E> ? E : never;

const PREFIX = 'neutron/';
const keyOf = (shelf: Shelf, id: string): string => `${PREFIX}${shelf}/${id}`;

/** The books of a state. */
export function booksIn(state: State): Books {
  const shelf = <S extends Shelf>(name: S): ReadonlyMap<string, Entry<S>> => {
    const start = keyOf(name, '');
    return new Map(
      [...state.note.values()]
        .filter(({ id }) => id.startsWith(start))
        // Written by `enter` below, from what was parsed.
        .map(({ id, facts }) => [id.slice(start.length), JSON.parse(facts['json'] ?? 'null') as Entry<S>]),
    );
  };
  return {
    network: shelf('network'),
    subnet: shelf('subnet'),
    port: shelf('port'),
    trunk: shelf('trunk'),
    subport: shelf('subport'),
    group: shelf('group'),
    rule: shelf('rule'),
  };
}

/** Writes a change into the books. What is told twice is written twice, and what is gone may be gone already. */
export function enter(transaction: Transaction, event: ObjectEvent | TrunkEvent): void {
  const put: Put = (shelf, id, entry) => transaction.put('note', { id: keyOf(shelf, id), facts: { json: JSON.stringify(entry) } });
  const remove: Remove = (shelf, id) => transaction.remove('note', keyOf(shelf, id));
  if (isOfTrunk(event)) return enterTrunk(transaction.state, event, put, remove);
  if (event.what !== 'delete') return enterObject(transaction, event, put);
  const { id } = event.now;
  remove(shelfOf[event.kind], id);
  if (event.kind !== 'security_group') return;
  for (const rule of booksIn(transaction.state).rule.values()) if (rule.security_group_id === id) remove('rule', rule.id);
}

const isOfTrunk = (event: ObjectEvent | TrunkEvent): event is TrunkEvent => event.kind === 'trunk' || event.kind === 'subports';

const shelfOf = {
  network: 'network',
  subnet: 'subnet',
  port: 'port',
  security_group: 'group',
  security_group_rule: 'rule',
} as const satisfies Record<ObjectEvent['kind'], Shelf>;

type Put = <S extends Shelf>(shelf: S, id: string, entry: Entry<S>) => void;
type Remove = (shelf: Shelf, id: string) => void;

function enterObject(transaction: Transaction, event: Exclude<ObjectEvent, { what: 'delete' }>, put: Put): void {
  switch (event.kind) {
    case 'network':
      return put('network', event.now.id, event.now);
    case 'subnet':
      return put('subnet', event.now.id, event.now);
    case 'port':
      return put('port', event.now.id, { ...event.now, pairsSince_ms: pairsSince(transaction, event.now) });
    case 'security_group_rule':
      return put('rule', event.now.id, event.now);
    case 'security_group':
      put('group', event.now.id, { id: event.now.id, name: event.now.name });
      for (const rule of event.now.security_group_rules) put('rule', rule.id, rule);
      return;
    default:
      return event satisfies never;
  }
}

function enterTrunk(state: State, { kind, what, now }: TrunkEvent, put: Put, remove: Remove): void {
  const { trunk_id: trunk, port_id: parent, sub_ports } = now;
  if (what === 'create') {
    if (parent !== undefined) put('trunk', trunk, { id: trunk, port: parent });
    for (const { port_id, segmentation_id } of sub_ports) put('subport', port_id, { id: port_id, trunk, vlan: segmentation_id });
    return;
  }
  for (const { port_id } of sub_ports) remove('subport', port_id);
  if (kind === 'subports') return;
  remove('trunk', trunk);
  for (const subport of booksIn(state).subport.values()) if (subport.trunk === trunk) remove('subport', subport.id);
}

/** Unchanged pairs keep their time. */
function pairsSince({ state, now_ms }: Transaction, now: NeutronPort): number {
  const before = booksIn(state).port.get(now.id);
  const text = (pairs: NeutronPort['allowed_address_pairs']): string => JSON.stringify(pairs ?? []);
  return before !== undefined && text(before.allowed_address_pairs) === text(now.allowed_address_pairs) ? before.pairsSince_ms : now_ms;
}
