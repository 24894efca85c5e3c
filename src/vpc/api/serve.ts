/**
 * One request from its first byte to its last: found, parsed, disturbed by faults, done, answered, written to the log.
 *
 * Invariants
 * - a change is in the database and in the fabric before its answer leaves
 * - a mistake of ours is answered with InternalError and logged; it never ends the program
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { asFailure, sentence } from '../../errors/failure.ts';
import type { Log } from '../../log.ts';
import { type Answer, type Call, PartlyDone } from '../calls/call.ts';
import { nothing } from '../calls/inputs.ts';
import { disturbanceOf, disturbBefore, has, stateFor } from '../disturbed.ts';
import type { Events } from '../events.ts';
import type { Effect } from '../faults.ts';
import type { Inside } from '../front.ts';
import { type Reason, Refusal, statusOf } from '../model/refusal.ts';
import type { Aside } from './aside.ts';
import { parsed, queryOf, readBody } from './body.ts';
import { type Found, router } from './route.ts';

const MOST_AT_ONCE = 500;
const RETRY_AFTER_s = 1;

/** What requests are answered from. */
export interface Service extends Omit<Inside, 'vpc' | 'hasFabric'> {
  readonly calls: readonly Call[];
  readonly asides: readonly Aside[];
}

/** The outcome of a request as the event log tells it. */
interface Outcome {
  readonly status: number;
  readonly reason?: Reason;
  readonly message?: string;
}

/** The listener for node:http. */
export function serve(service: Service): (request: IncomingMessage, response: ServerResponse) => void {
  const find = router<Call | Aside>([...service.calls, ...service.asides]);
  let atOnce = 0;
  let lastRequest = 0;
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const started = performance.now();
    const url = new URL(request.url ?? '/', 'http://vpc');
    const found = find(request.method ?? '', url.pathname);
    const effects = { struck: [] as Effect[] };
    const requestId = `r-${++lastRequest}`;
    const outcome = await attempt(response, requestId, () => {
      if (atOnce > MOST_AT_ONCE) throw new Refusal('Unavailable', `${MOST_AT_ONCE} requests are being answered`, 'try again in a moment');
      return perform(service, found, request, url, effects);
    });
    if (found !== undefined && found.call.does === 'aside') return;
    note(
      service.events,
      found?.call.name ?? `${request.method} ${url.pathname.slice(0, 80)}`,
      found?.id ?? '',
      outcome,
      performance.now() - started,
      effects.struck,
    );
  };
  const attempt = async (response: ServerResponse, requestId: string, work: () => Promise<Answer | 'hang up'>): Promise<Outcome> => {
    try {
      const answer = await work();
      if (answer === 'hang up') {
        response.destroy();
        return { status: 0 };
      }
      send(response, answer.status, answer.body, requestId);
      return { status: answer.status };
    } catch (error) {
      const refusal = error instanceof Refusal ? error : mistake(error, service.log);
      sendRefusal(response, refusal, requestId);
      return { status: statusOf[refusal.reason], reason: refusal.reason, message: refusal.message };
    }
  };
  return (request, response) => {
    atOnce++;
    // A caller that goes away while we answer is no mistake of ours; the change stands.
    response.on('error', () => {});
    void handle(request, response).finally(() => atOnce--);
  };
}

async function perform(
  service: Service,
  found: Found<Call | Aside> | undefined,
  request: IncomingMessage,
  url: URL,
  effects: { struck: Effect[] },
): Promise<Answer | 'hang up'> {
  if (found === undefined)
    throw new Refusal(
      'UnknownCall',
      `there is no call ${request.method} ${url.pathname.slice(0, 80)}`,
      'see openapi.yaml for the calls there are',
    );
  const { call, id } = found;
  const sent = await readBody(request);
  if (sent !== undefined && !/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    throw new Refusal(
      'InvalidParameter',
      'the body is not declared as JSON',
      'send the header content-type: application/json',
      'content-type',
    );
  }
  const body = call.does === 'read' || call.body === undefined ? parsed(nothing.optional(), sent) : parsed(call.body, sent);
  const query: unknown = parsed(call.does === 'change' ? nothing : call.query, queryOf(url.searchParams));
  if (call.does === 'aside') return call.run({ id, body, query });
  effects.struck = service.faults.strike(call.name, call.does);
  await disturbBefore(effects.struck, service.stopping);
  if (has(effects.struck, 'loseRequest')) return 'hang up';
  const answer =
    call.does === 'read'
      ? call.run(stateFor(service.model, effects.struck), { id, body: undefined, query })
      : await doChange(service, call, id, body, effects.struck);
  return has(effects.struck, 'loseAnswer') ? 'hang up' : answer;
}

async function doChange(
  service: Service,
  call: Extract<Call, { does: 'change' }>,
  id: string,
  body: unknown,
  struck: readonly Effect[],
): Promise<Answer> {
  const done = service.model.transaction((transaction) => {
    try {
      return call.run(transaction, { id, body, query: undefined }, disturbanceOf(struck));
    } catch (error) {
      if (error instanceof PartlyDone) return error; // the part that was done is kept
      throw error;
    }
  });
  await service.converge();
  if (done instanceof PartlyDone) throw new Refusal('InternalError', done.message, 'read back what was done, and try the rest again');
  return done;
}

function mistake(error: unknown, log: Log): Refusal {
  const failed = asFailure(error);
  log.error(sentence(failed), { code: failed.code, stack: error instanceof Error ? error.stack : undefined });
  return new Refusal('InternalError', sentence(failed), 'the change may have been made: read back; the log of the VPC has more');
}

function send(response: ServerResponse, status: number, body: unknown, requestId: string): void {
  if (response.destroyed || response.headersSent) return;
  response.setHeader('x-request-id', requestId);
  if (body === undefined) {
    response.writeHead(status).end();
    return;
  }
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text);
}

function sendRefusal(response: ServerResponse, refusal: Refusal, requestId: string): void {
  const { reason, message, remedy, field, taken } = refusal;
  if (reason === 'Throttled') response.setHeader('retry-after', RETRY_AFTER_s);
  // What is left of a body that is too large must not be read as the next request.
  if (reason === 'BodyTooLarge') response.setHeader('connection', 'close');
  const error = { reason, message, remedy, ...(field === undefined ? {} : { field }), ...taken, requestId };
  send(response, statusOf[reason], { error }, requestId);
}

function note(events: Events, call: string, id: string, outcome: Outcome, duration_ms: number, struck: readonly Effect[]): void {
  const fault = struck.map(({ kind }) => kind).join(',');
  const ending =
    outcome.status === 0 ? 'connection closed' : outcome.reason === undefined ? 'done' : `${outcome.reason}: ${outcome.message}`;
  events.add({
    kind: 'call',
    text: `${call}${id === '' ? '' : ` ${id}`}: ${ending}${fault === '' ? '' : ` (fault: ${fault})`}`,
    call,
    status: outcome.status,
    ...(outcome.reason === undefined ? {} : { reason: outcome.reason }),
    duration_ms: Math.round(duration_ms * 10) / 10,
    ...(fault === '' ? {} : { fault }),
  });
}
