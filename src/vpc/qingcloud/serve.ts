/**
 * One request from its first byte to its last: read, known by its signature, disturbed by faults, done, answered.
 *
 * Invariants
 * - every refusal is HTTP 200 with a `ret_code`; another status, a cut connection or half an answer is a fault that was asked for, or no call at all
 * - a change is in the database and in the fabric before its answer leaves
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { asFailure, sentence } from '../../errors/failure.ts';
import type { listen } from '../api/listen.ts';
import { disturbanceOf, disturbBefore, has, stateFor } from '../disturbed.ts';
import type { Effect } from '../faults.ts';
import type { Inside } from '../front.ts';
import { Refusal } from '../model/refusal.ts';
import type { Action, Changing } from './action.ts';
import { type Keys } from './account.ts';
import { actions } from './all.ts';
import type { Courses } from './courses.ts';
import type { OwnEffect, OwnFaults } from './faults.ts';
import { checkIdle, putJob, type Runner } from './jobs.ts';
import { parsed } from './parameters.ts';
import { Problem, problemOf } from './problem.ts';
import { type Authentic, authenticated } from './request.ts';
import type { Switches } from './switches.ts';

type Listener = Parameters<typeof listen>[1];
/** What node:http hands over. */
export type Request = Parameters<Listener>[0];
/** What node:http wants filled. */
export type Response = Parameters<Listener>[1];

const LARGEST_FORM = 1024 * 1024;
const LONGEST_URL = 8192;
const PATHS = new Set(['/iaas', '/iaas/', '/iam', '/iam/']);

/** What requests are answered from. */
export interface Double {
  readonly inside: Inside;
  readonly keys: Keys;
  readonly zone: string;
  /** As they are now. */
  readonly switches: () => Switches;
  readonly own: OwnFaults;
  readonly runner: Runner;
  readonly courses: Courses;
  /** How often each action was called, refusals included. */
  readonly counts: Map<string, number>;
}

/** How an answer is spoilt. */
type Spoilt = 'no' | 'hang up' | 'half' | { readonly html: number };

interface Reply {
  readonly body: object;
  readonly spoilt: Spoilt;
}

const byName = new Map(actions.map((action) => [action.name, action]));

/** Answers a request of the API. */
export async function answer(double: Double, request: Request, response: Response): Promise<void> {
  const { inside, switches } = double;
  response.setHeader('date', new Date(Date.now() + switches().clockAhead_ms).toUTCString());
  const url = request.url ?? '';
  const at = url.indexOf('?');
  const path = at < 0 ? url : url.slice(0, at);
  if (!PATHS.has(path)) return page(response, 404);
  if (url.length > LONGEST_URL) return page(response, 414);
  if (request.method !== 'GET' && request.method !== 'POST') return page(response, 405);
  const started = performance.now();
  let name = '';
  let reply: Reply;
  try {
    const text = await textOf(request, at < 0 ? '' : url.slice(at + 1));
    const asking = authenticated({ verb: request.method, path, text }, double.keys, Date.now() + switches().clockAhead_ms);
    name = asking.action;
    const { accessKeyId } = asking.caller.account;
    if (switches().revoked.includes(accessKeyId)) throw new Problem('notAuthentic', `access key [${accessKeyId}] is revoked`);
    reply = await perform(double, asking);
  } catch (error) {
    const problem = error instanceof Problem ? error : error instanceof Refusal ? problemOf(error) : mistake(error, inside);
    reply = { body: { action: `${name}Response`, ret_code: problem.code, message: problem.message }, spoilt: 'no' };
  }
  note(inside, name, reply, performance.now() - started);
  send(response, reply);
}

async function perform(double: Double, asking: Authentic): Promise<Reply> {
  const { inside, own, counts, zone } = double;
  const action = byName.get(asking.action);
  if (action === undefined) throw new Problem('malformed', `action [${asking.action.slice(0, 64)}] is not known`);
  counts.set(action.name, (counts.get(action.name) ?? 0) + 1);
  if (asking.zone !== zone) throw new Problem('malformed', `zone [${asking.zone ?? ''}] is not served here`);
  if ([...(asking.caller.account.denied ?? []), ...double.switches().denied].includes(action.name))
    throw new Problem('denied', `access denied for [${action.name}]`);
  const parameters = parsed(action.parameters, withShortPage(asking.parameters, double.switches().longestPage));
  const struck = inside.faults.strike(action.also ?? action.name, action.does, action.name);
  const ownStruck = own.strike(action.name);
  for (const effect of ownStruck) {
    if (effect.kind === 'refuse') throw new Problem(effect.code, effect.message);
    if (effect.kind === 'html') return { body: {}, spoilt: { html: effect.status } };
  }
  await disturbBefore(struck, inside.stopping);
  if (has(struck, 'loseRequest')) return { body: {}, spoilt: 'hang up' };
  const facts = await run(double, asking, action, parameters, struck, ownStruck);
  return { body: { action: `${action.name}Response`, ret_code: 0, ...facts }, spoilt: await spoilt(struck, ownStruck, inside.stopping) };
}

/** Who asks for more on a page gets that much. */
function withShortPage(parameters: ReadonlyMap<string, string>, longest: number): ReadonlyMap<string, string> {
  const asked = parameters.get('limit') ?? '';
  return /^\d{1,9}$/.test(asked) && Number(asked) > longest ? new Map([...parameters, ['limit', String(longest)]]) : parameters;
}

async function run(
  double: Double,
  { caller: { account } }: Authentic,
  action: Action,
  parameters: unknown,
  struck: readonly Effect[],
  ownStruck: readonly OwnEffect[],
): Promise<object> {
  const { inside, keys, zone, switches, runner, courses } = double;
  const [{ owner: firstOwner }] = keys.accounts;
  const asking = { account, firstOwner, zone, switches: switches(), accounts: keys.accounts };
  if (action.does === 'read') return action.run(stateFor(inside.model, struck), parameters, asking);
  const disturbance = disturbanceOf(struck);
  const changing: Changing = {
    ...asking,
    disturbance,
    start(transaction, resources, work) {
      checkIdle(transaction.state, resources);
      const course = courses.next(switches().jobs_ms, ownStruck, disturbance, work.of.length);
      return putJob(transaction, account.owner, action.name, resources, work, course);
    },
  };
  const facts = inside.model.transaction((transaction) => action.run(transaction, parameters, changing));
  runner.follow();
  await inside.converge();
  return facts;
}

async function spoilt(struck: readonly Effect[], own: readonly OwnEffect[], stopping: AbortSignal): Promise<Spoilt> {
  for (const effect of own) {
    if (effect.kind === 'truncate') return 'half';
    if (effect.kind !== 'stall') continue;
    await sleep(effect.ms, undefined, { signal: stopping }).catch(() => {}); // the program stops: the connection ends either way
    return 'hang up';
  }
  return has(struck, 'loseAnswer') ? 'hang up' : 'no';
}

/** @throws Problem 1100. */
async function textOf(request: Request, query: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_FORM) throw new Problem('malformed', `the form is larger than ${LARGEST_FORM} bytes`);
    chunks.push(chunk);
  }
  if (request.method === 'GET') {
    if (size > 0) throw new Problem('malformed', 'a GET has no body');
    return query;
  }
  if (query !== '') throw new Problem('malformed', 'a POST has its parameters in the form alone');
  if (!/^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? ''))
    throw new Problem('malformed', 'a POST is application/x-www-form-urlencoded');
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: Response, { body, spoilt: how }: Reply): void {
  if (response.destroyed) return;
  if (how === 'hang up') {
    response.destroy();
    return;
  }
  if (typeof how === 'object') return page(response, how.html);
  const text = JSON.stringify(body);
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  if (how === 'half') response.write(text.slice(0, Math.ceil(text.length / 2)), () => response.destroy());
  else response.end(text);
}

/** What a proxy or a web server says to people. */
function page(response: Response, status: number): void {
  const text = `<html><head><title>${status}</title></head><body><h1>${status}</h1></body></html>\n`;
  response.writeHead(status, { 'content-type': 'text/html', 'content-length': Buffer.byteLength(text), connection: 'close' }).end(text);
}

function mistake(error: unknown, { log }: Inside): Problem {
  const failed = asFailure(error);
  log.error(sentence(failed), { code: failed.code, stack: error instanceof Error ? error.stack : undefined });
  return new Problem('internal', 'the change may have been made: read back');
}

function note({ events }: Inside, name: string, { body, spoilt: how }: Reply, duration_ms: number): void {
  const code = 'ret_code' in body ? Number(body.ret_code) : 0;
  const message = 'message' in body ? String(body.message) : '';
  const lost = how === 'no' ? '' : ' (its answer is lost or spoilt, as asked for)';
  events.add({
    kind: 'call',
    text: `${name === '' ? 'a request' : name}: ${code === 0 ? 'done' : `${code} ${message}`}${lost}`,
    call: name,
    status: how === 'no' ? 200 : 0,
    duration_ms: Math.round(duration_ms * 10) / 10,
  });
}
