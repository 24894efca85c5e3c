/**
 * Faults on request: what a cloud does to its callers on a bad day, on purpose and repeatably.
 * They live in memory alone: a restart forgets them.
 */
import * as z from 'zod';
import { type Reason, reasons, Refusal } from './model/refusal.ts';
import { newId } from './calls/token.ts';
import { numbersFrom } from './numbers.ts';

const MOST_FAULTS = 100;
const ms = z.int().min(0).max(600_000);

const effect = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('delay'), ms }),
  z.strictObject({ kind: z.literal('error'), reason: z.enum(reasons).default('InternalError') }),
  z.strictObject({ kind: z.literal('throttle') }),
  z.strictObject({ kind: z.literal('loseAnswer') }),
  z.strictObject({ kind: z.literal('loseRequest') }),
  z.strictObject({ kind: z.literal('partial'), keep: z.int().min(0).max(256).optional() }),
  z.strictObject({ kind: z.literal('staleReads'), ms }),
  z.strictObject({ kind: z.literal('detachStuck') }),
]);
/** What a fault does to a call. */
export type Effect = z.infer<typeof effect>;

/** The body of CreateFault. */
export const createFault = z.strictObject({
  call: z.string().max(64).default('*'),
  rate: z.number().gt(0).max(1).default(1),
  count: z.int().min(1).optional(),
  seed: z.int().min(0).max(0xffff_ffff).default(1),
  effect,
});

/** A fault in force; `count` is what is left of it. */
export interface Fault {
  readonly id: string;
  readonly call: string;
  readonly rate: number;
  readonly seed: number;
  readonly effect: Effect;
  readonly count?: number;
  readonly hits: number;
}

interface Live {
  fault: Fault;
  readonly random: () => number;
}

/** The faults in force, and what they do to a call. */
export class Faults {
  private readonly live = new Map<string, Live>();

  /** Puts a fault in force. `callNames`: what may be named beside `*`. @throws Refusal InvalidParameter, LimitExceeded. */
  add(request: z.output<typeof createFault>, callNames: ReadonlySet<string>): Fault {
    if (request.call !== '*' && !callNames.has(request.call)) {
      throw new Refusal('InvalidParameter', `there is no call ${request.call}`, 'use an operationId of openapi.yaml, or *', 'call');
    }
    if (this.live.size >= MOST_FAULTS)
      throw new Refusal('LimitExceeded', `${MOST_FAULTS} faults are in force, as many as may be`, 'delete some');
    const { count, ...rest } = request;
    const fault: Fault = { id: newId('fault'), ...rest, ...(count === undefined ? {} : { count }), hits: 0 };
    this.live.set(fault.id, { fault, random: numbersFrom(fault.seed) });
    return fault;
  }

  /** Ends a fault; ends all without an id. Succeeds when there is none. */
  end(id?: string): void {
    if (id === undefined) this.live.clear();
    else this.live.delete(id);
  }

  all(): Fault[] {
    return [...this.live.values()].map(({ fault }) => fault);
  }

  /** Whether detached NICs are to be held back now. */
  holdsDetaching(): boolean {
    return this.all().some(({ effect: { kind } }) => kind === 'detachStuck');
  }

  /** Draws for one call and counts the hits. An effect that means nothing to the call is not drawn. `also`: what a front calls it. */
  strike(call: string, does: 'read' | 'change', also?: string): Effect[] {
    const struck: Effect[] = [];
    for (const [id, live] of this.live) {
      const { fault } = live;
      if (!fits(fault, call, does, also) || live.random() >= fault.rate) continue;
      struck.push(fault.effect);
      const left = fault.count === undefined ? undefined : fault.count - 1;
      live.fault = { ...fault, hits: fault.hits + 1, ...(left === undefined ? {} : { count: left }) };
      // A stuck detach holds until the fault is ended by hand, also when its count has run out.
      if (left === 0 && fault.effect.kind !== 'detachStuck') this.live.delete(id);
    }
    return struck;
  }
}

/** The reason a fault of kind error or throttle refuses with; undefined for other kinds. */
export function refusalOf(one: Effect): Refusal | undefined {
  const remedy = 'a fault was asked for: see GET /v1/faults';
  const refuse = (reason: Reason, message: string): Refusal => new Refusal(reason, message, remedy);
  if (one.kind === 'error') return refuse(one.reason, `${one.reason}, as asked for`);
  return one.kind === 'throttle' ? refuse('Throttled', 'too many calls of this kind: slow down') : undefined;
}

function fits(fault: Fault, call: string, does: 'read' | 'change', also: string | undefined): boolean {
  if (fault.call !== '*' && fault.call !== call && fault.call !== also) return false;
  if (fault.count === 0) return false;
  const { kind } = fault.effect;
  if (kind === 'partial') return call === 'AssignAddresses' || call === 'UnassignAddresses';
  if (kind === 'detachStuck') return call === 'DetachNic';
  return kind !== 'staleReads' || does === 'read';
}
