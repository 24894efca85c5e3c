/**
 * A failure that its reader can act on: what happened to which object, and what to do next. Every one comes from the catalogue.
 * Anything thrown that is not a Failure is a defect of ours and is reported as FP999.
 */
import { catalogue, type ErrorName } from './catalogue.ts';
import type { ErrorEntry } from './entry.ts';

/** The names in braces of a template: `no address for {pod}` has `pod`. */
type Placeholders<S extends string> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Placeholders<Rest> : never;

/** The facts an entry's three sentences ask for, by name. */
export type Facts<N extends ErrorName> = Record<
  Placeholders<(typeof catalogue)[N]['message'] | (typeof catalogue)[N]['details'] | (typeof catalogue)[N]['hint']>,
  string | number
>;

/** An error of the catalogue with its sentences filled in. `code` is ours and stable (100 and up); `cni` is what goes over CNI. */
export class Failure extends Error {
  readonly kind: ErrorName;
  readonly code: number;
  readonly cni: number;
  /** The particulars, possibly empty. */
  readonly details: string;
  /** What the reader can do next. */
  readonly hint: string;

  constructor(kind: ErrorName, facts: Record<string, string | number>, cause?: unknown) {
    const entry: ErrorEntry = catalogue[kind];
    super(fill(entry.message, facts), cause === undefined ? undefined : { cause });
    this.name = 'Failure';
    this.kind = kind;
    this.code = entry.code;
    this.cni = entry.cni;
    this.details = fill(entry.details, facts);
    this.hint = fill(entry.hint, facts);
  }
}

/** Makes (does not throw) the failure of that name. The compiler asks for exactly the facts its sentences mention. */
export function failure<N extends ErrorName>(kind: N, facts: Facts<N>, cause?: unknown): Failure {
  return new Failure(kind, facts, cause);
}

/** Whether it is a failure, and of that name when one is given. */
export function isFailure(error: unknown, kind?: ErrorName): error is Failure {
  return error instanceof Failure && (kind === undefined || error.kind === kind);
}

/** Whatever was thrown, as a Failure: itself, or FP999 with its message. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return failure('internal', { what: error instanceof Error ? error.message : String(error) }, error);
}

/** `message (FP130): details. hint`: one line for logs and terminals. */
export function sentence(failed: Failure): string {
  const tail = [failed.details, failed.hint].filter((part) => part !== '').join('; ');
  return `${failed.message} (FP${failed.code})${tail === '' ? '' : `: ${tail}`}`;
}

function fill(template: string, facts: Record<string, string | number>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => String(facts[name] ?? `{${name}}`));
}
