/** The calls beside the cloud's own: faults, events, drops, health. Never disturbed by faults, never in the event log. */
import * as z from 'zod';
import type { Answer, Call } from '../calls/call.ts';
import { nothing } from '../calls/inputs.ts';
import type { Events } from '../events.ts';
import { createFault, type Faults } from '../faults.ts';
import type { Drop, Fabric } from '../fabric/fabric.ts';

const DROP_POLL_ms = 500;

/** A call beside the cloud's own. `body` and `query` reach `run` parsed. */
export interface Aside {
  readonly does: 'aside';
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly query: z.ZodType;
  readonly body: z.ZodType | undefined;
  readonly run: (input: { id: string; body: unknown; query: unknown }) => Answer | Promise<Answer>;
}

const digits = z
  .array(z.string().regex(/^\d{1,15}$/, 'must be a number'))
  .length(1)
  .optional();
const eventQuery = z.strictObject({ after: digits, wait_ms: digits, limit: digits });

/** What these calls need. `faultsEnded` is called when faults were taken away. */
export interface AsideParts {
  readonly vpc: string;
  readonly calls: readonly Call[];
  /** What fronts call theirs: faults may name them too. */
  readonly frontCalls?: readonly string[];
  readonly faults: Faults;
  readonly events: Events;
  readonly fabric: Fabric;
  readonly faultsEnded: () => Promise<void>;
}

/** All calls of this kind. */
export function asidesOf(parts: AsideParts): Aside[] {
  const { vpc, faults, events, fabric, faultsEnded, frontCalls = [] } = parts;
  const callNames = new Set([...parts.calls.map(({ name }) => name), ...frontCalls]);
  const noteDrops = dropNoter(fabric, events);
  const end = async (id?: string): Promise<Answer> => {
    faults.end(id);
    await faultsEnded();
    return { status: 204 };
  };
  return [
    aside('ListFaults', 'GET', '/v1/faults', () => ({ status: 200, body: { items: faults.all() } })),
    {
      ...aside('CreateFault', 'POST', '/v1/faults', ({ body }) => ({ status: 201, body: faults.add(createFault.parse(body), callNames) })),
      body: createFault,
    },
    aside('ClearFaults', 'DELETE', '/v1/faults', () => end()),
    aside('DeleteFault', 'DELETE', '/v1/faults/:id', ({ id }) => end(id)),
    {
      ...aside('ListEvents', 'GET', '/v1/events', ({ query }) => listEvents(events, noteDrops, eventQuery.parse(query))),
      query: eventQuery,
    },
    aside('ListDrops', 'GET', '/v1/drops', () => ({ status: 200, body: { items: fabric.drops() } })),
    aside('GetHealth', 'GET', '/v1/health', () => ({ status: 200, body: { vpc, fabric: fabric.state } })),
  ];
}

function aside(name: string, method: string, path: string, run: Aside['run']): Aside {
  return { does: 'aside', name, method, path, query: nothing, body: undefined, run };
}

async function listEvents(events: Events, noteDrops: () => void, query: z.output<typeof eventQuery>): Promise<Answer> {
  const after = Number(query.after?.[0] ?? 0);
  const limit = Math.min(Math.max(Number(query.limit?.[0] ?? 100), 1), 1000);
  const deadline = Date.now() + Math.min(Number(query.wait_ms?.[0] ?? 0), 30_000);
  noteDrops();
  let items = events.after(after, limit);
  // The fabric's counters announce nothing: while somebody watches, look every half second.
  while (items.length === 0 && Date.now() < deadline) {
    await events.next(Math.min(DROP_POLL_ms, deadline - Date.now()));
    noteDrops();
    items = events.after(after, limit);
    if (events.closed) break;
  }
  return { status: 200, body: { items } };
}

/** Writes an event for each counter of the fabric that has grown since the last look. */
function dropNoter(fabric: Fabric, events: Events): () => void {
  let seen = new Map<string, number>();
  return () => {
    const now = fabric.drops();
    for (const drop of now) if (drop.packets > (seen.get(keyOf(drop)) ?? 0)) events.add({ kind: 'drop', text: drop.text });
    seen = new Map(now.map((drop) => [keyOf(drop), drop.packets]));
  };
}

function keyOf({ reason, nic, address }: Drop): string {
  return `${reason} ${nic} ${address}`;
}
