/** What this API shows and the model has no use for, kept beside the model's objects: names, owners, VIPs, jobs, records of load balancers. */
import type { Transaction } from '../model/model.ts';
import type { Note, State } from '../model/objects.ts';

const FRONT = 'qingcloud';

/** The kinds of notes. The key is the model's id where the note goes with an object of the model. */
export type NoteKind =
  | 'nic'
  | 'vip'
  | 'job'
  | 'instance'
  | 'tag'
  | 'group'
  | 'rule'
  | 'loadbalancer'
  | 'listener'
  | 'backend'
  | 'router'
  | 'static'
  | 'vxnet';

/** The facts of a note. */
export type Facts = Note['facts'];

/** A note and what it is about. */
export interface Keyed {
  readonly key: string;
  readonly facts: Facts;
}

/** The note; undefined when there is none. */
export function noteOf(state: State, kind: NoteKind, key: string): Facts | undefined {
  return state.note.get(`${FRONT}/${kind}/${key}`)?.facts;
}

/** All notes of the kind, oldest first. */
export function notesOf(state: State, kind: NoteKind): Keyed[] {
  const prefix = `${FRONT}/${kind}/`;
  const found = [...state.note.values()].filter(({ id }) => id.startsWith(prefix));
  return found.map(({ id, facts }) => ({ key: id.slice(prefix.length), facts })).toSorted((a, b) => created_ms(a) - created_ms(b));
}

/** When it was made, in milliseconds since the epoch. */
export function created_ms({ facts }: Keyed): number {
  return Number(facts['created_ms'] ?? 0);
}

/** Writes the note anew. */
export function putNote(transaction: Transaction, kind: NoteKind, key: string, facts: Facts): void {
  transaction.put('note', { id: `${FRONT}/${kind}/${key}`, facts });
}

/** Succeeds when there is none. */
export function removeNote(transaction: Transaction, kind: NoteKind, key: string): void {
  transaction.remove('note', `${FRONT}/${kind}/${key}`);
}
