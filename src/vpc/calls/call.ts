/** What a call of the API is: name, place, shapes, and the work. The server knows nothing else about it. */
import type * as z from 'zod';
import type { State } from '../model/objects.ts';
import type { Transaction } from '../model/model.ts';

/** A successful answer; without a body it is 204. */
export interface Answer {
  readonly status: 200 | 201 | 204;
  readonly body?: unknown;
}

/** What a fault asks a changing call to do otherwise. */
export interface Disturbance {
  /** Do only this part of the batch and then fail. */
  readonly partial?: (size: number) => number;
  /** The NIC stays `detaching`. */
  readonly detachStuck?: boolean;
}

interface Place {
  /** The operationId in openapi.yaml: what faults and events call it. */
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `:id` stands for one segment. */
  readonly path: string;
}

/** What the caller sent, parsed. `id` is the path's variable segment or ''. */
export interface Input<Body, Query> {
  readonly id: string;
  readonly body: Body;
  readonly query: Query;
}

/** A call that answers from the state and changes nothing. */
export interface Read extends Place {
  readonly does: 'read';
  readonly query: z.ZodType;
  readonly run: (state: State, input: Input<undefined, unknown>) => Answer;
}

/** A call that runs in one transaction; the fabric follows before it is answered. */
export interface Change extends Place {
  readonly does: 'change';
  readonly body: z.ZodType | undefined;
  readonly run: (transaction: Transaction, input: Input<unknown, undefined>, disturbance: Disturbance) => Answer;
}

/** Any call of the API. */
export type Call = Read | Change;

/** A reading call; `run` gets the query in the type its schema gives. */
export function read<Q extends z.ZodType>(
  name: string,
  path: string,
  query: Q,
  run: (state: State, input: Input<undefined, z.output<Q>>) => Answer,
): Read {
  // The server parses with `query` before it calls `run`, so the types agree.
  return { does: 'read', name, method: 'GET', path, query, run: run as Read['run'] };
}

/** A changing call; `run` gets the body in the type its schema gives. */
export function change<B extends z.ZodType | undefined>(
  name: string,
  method: Change['method'],
  path: string,
  body: B,
  run: (
    transaction: Transaction,
    input: Input<B extends z.ZodType ? z.output<B> : undefined, undefined>,
    disturbance: Disturbance,
  ) => Answer,
): Change {
  // The server parses with `body` before it calls `run`, so the types agree.
  return { does: 'change', name, method, path, body, run: run as Change['run'] };
}

/** Some of a batch was done, and the caller hears of a failure: kept, unlike a refusal. */
export class PartlyDone extends Error {}

/** Answers with the objects on the page that `limit` and `after` ask for; ordered by id. */
export function pageOf<T extends { readonly id: string }>(
  objects: Iterable<T>,
  query: { limit?: string[] | undefined; after?: string[] | undefined },
  show: (object: T) => unknown,
): Answer {
  const limit = Math.min(Math.max(Number(query.limit?.[0] ?? 100), 1), 1000);
  const after = query.after?.[0] ?? '';
  const rest = [...objects].filter(({ id }) => id > after).sort((a, b) => (a.id < b.id ? -1 : 1));
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  return { status: 200, body: { items: items.map(show), ...(rest.length > limit && last !== undefined ? { next: last.id } : {}) } };
}
