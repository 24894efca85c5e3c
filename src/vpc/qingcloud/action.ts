/** What an action is: its name, its parameters, and the work. The server knows nothing else about it. */
import type * as z from 'zod';
import type { Disturbance } from '../calls/call.ts';
import type { Transaction } from '../model/model.ts';
import type { State } from '../model/objects.ts';
import type { Account } from './account.ts';
import type { Job, Work } from './jobs.ts';
import { type Facts, noteOf, type NoteKind } from './notes.ts';
import { Problem, unknown } from './problem.ts';
import type { Switches } from './switches.ts';

/** What an action knows about who asks and how. */
export interface Asking {
  readonly account: Account;
  /** The owner of what was made by other ways. */
  readonly firstOwner: string;
  readonly zone: string;
  readonly switches: Switches;
  /** All accounts, for the lists of keys. */
  readonly accounts: readonly Account[];
}

/** What a changing action may use beside. */
export interface Changing extends Asking {
  readonly disturbance: Disturbance;
  /** Starts a job over those resources; nothing of the work is done before it ends. @throws Problem 1400 when another changes one of them. */
  readonly start: (transaction: Transaction, resources: readonly string[], work: Work) => Job;
}

interface Named {
  readonly name: string;
  /** What the VPC's own API calls the like: faults by that name strike too. */
  readonly also: string | undefined;
  readonly parameters: z.ZodType;
}

/** An action that changes nothing. */
export interface ReadAction extends Named {
  readonly does: 'read';
  readonly run: (state: State, parameters: unknown, asking: Asking) => object;
}

/** An action that runs in one transaction. */
export interface ChangeAction extends Named {
  readonly does: 'change';
  readonly run: (transaction: Transaction, parameters: unknown, changing: Changing) => object;
}

/** Any action. */
export type Action = ReadAction | ChangeAction;

/** A reading action; `run` gets parameters in the type their schema gives. */
export function read<P extends z.ZodType>(
  [name, also]: readonly [string, string?],
  parameters: P,
  run: (state: State, parameters: z.output<P>, asking: Asking) => object,
): Action {
  // The server parses with `parameters` before it calls `run`, so the types agree.
  return { does: 'read', name, also, parameters, run: run as ReadAction['run'] };
}

/** A changing action; `run` gets parameters in the type their schema gives. */
export function change<P extends z.ZodType>(
  [name, also]: readonly [string, string?],
  parameters: P,
  run: (transaction: Transaction, parameters: z.output<P>, changing: Changing) => object,
): Action {
  // The server parses with `parameters` before it calls `run`, so the types agree.
  return { does: 'change', name, also, parameters, run: run as ChangeAction['run'] };
}

/** Whose it is: what was made by other ways is the first account's. */
export function ownerOf(facts: Facts | undefined, { firstOwner }: Asking): string {
  return facts?.['owner'] ?? firstOwner;
}

/** @throws Problem 1400 when it is somebody else's. */
export function checkOwner(state: State, kind: NoteKind, key: string, id: string, asking: Asking): void {
  if (ownerOf(noteOf(state, kind, key), asking) !== asking.account.owner)
    throw new Problem('denied', `resource [${id}] belongs to another user`);
}

/** How the model tells accounts apart: the first is not named. */
export function accountIn({ account, firstOwner }: Asking): { readonly account?: string } {
  return account.owner === firstOwner ? {} : { account: account.owner };
}

/** Whether a name is what a list is filtered by. */
export function isNamed(name: string, filter: string | undefined, { switches }: Asking): boolean {
  return filter === undefined || (switches.nameFilter === 'exact' ? name === filter : name.includes(filter));
}

/** @throws Problem 2100 for an id that a list is asked for and that there is not, where that is how it is switched. */
export function mustBeKnown({ switches }: Asking, asked: readonly string[] | undefined, known: readonly string[]): void {
  if (!switches.refusesUnknownIds || asked === undefined) return;
  const all = new Set(known);
  const strange = asked.find((id) => !all.has(id));
  if (strange !== undefined) throw unknown(strange);
}

/** A time as the API writes it. */
export function timeOf(at_ms: number): string {
  return new Date(at_ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
