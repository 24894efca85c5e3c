/** What an action of EC2 is: its name, what it reads of the request, and the work. */
import { calls } from '../../calls/all.ts';
import type { Answer, Disturbance } from '../../calls/call.ts';
import type { State } from '../../model/objects.ts';
import type { Transaction } from '../../model/model.ts';
import type { Parameters } from '../parameters.ts';
import { type Codes, invalid } from '../refused.ts';
import type { Shown } from '../xml.ts';

/** What is the same for all requests. */
export interface Setting {
  readonly region: string;
  /** The account's number. */
  readonly account: string;
  readonly now_ms: () => number;
  readonly lag: Lag;
}

/** How late EC2 is, and how little it tells at once; may be changed while it serves. */
export interface Lag {
  /** An attachment says `attaching` for that long, in milliseconds. */
  attach_ms: number;
  /** A new interface is unknown to every call, and absent from lists, for that long. */
  unknown_ms: number;
  /** A page of interfaces has no more than that, however many are asked for. */
  longestPage: number;
}

/** The fields of an answer. */
export type Fields = { readonly [name: string]: Shown };

interface Named {
  readonly name: string;
  /** The call of the VPC's own API that does the same: a fault for that one strikes here too. */
  readonly like: string;
  /** What the model's reasons are called here, where it is not the usual. */
  readonly codes: Codes;
}

/** An action that only tells; `run` gets what `read` made of the parameters. */
export interface Telling extends Named {
  readonly does: 'read';
  readonly prepare: (parameters: Parameters) => (state: State, setting: Setting) => Fields;
}

/** An action that changes something, in one transaction. */
export interface Changing extends Named {
  readonly does: 'change';
  readonly prepare: (parameters: Parameters) => (transaction: Transaction, setting: Setting, disturbance: Disturbance) => Fields;
}

/** Any action. `prepare` reads the request and does nothing: after it comes the answer to a DryRun. */
export type Action = Telling | Changing;

/** A telling action. */
export function tells(name: string, like: string, prepare: Telling['prepare']): Action {
  return { does: 'read', name, like, codes: {}, prepare };
}

/** A changing action. */
export function changes(name: string, like: string, prepare: Changing['prepare'], codes: Codes = {}): Action {
  return { does: 'change', name, like, codes, prepare };
}

/** The answer of an action that has nothing to tell. */
export const done: Fields = { return: true };

/** Does what a changing call of the VPC's own API does, within this transaction. @throws Refusal, PartlyDone. */
export function ownCall(name: string, transaction: Transaction, id: string, body?: unknown, disturbance: Disturbance = {}): Answer {
  const call = calls.find((one) => one.name === name);
  if (call?.does !== 'change') throw new Error(`there is no changing call ${name}`);
  const parsed = call.body?.safeParse(body);
  if (parsed?.success === false) throw invalid(parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
  return call.run(transaction, { id, body: parsed?.data, query: undefined }, disturbance);
}

/** The id of what a creating call has made. */
export function madeBy(answer: Answer): string {
  const { body } = answer;
  if (typeof body !== 'object' || body === null || !('id' in body)) throw new Error('the call made nothing');
  return String(body.id);
}
