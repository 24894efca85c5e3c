/**
 * One request of EC2's query protocol: who asks, what is asked, may they, then the work, the answer and a line for the events.
 *
 * Invariants
 * - a change is in the database and in the fabric before its answer leaves
 * - a mistake of ours is answered with InternalError and logged; it never ends the program
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { asFailure, sentence } from '../../errors/failure.ts';
import { PartlyDone } from '../calls/call.ts';
import { disturbanceOf, disturbBefore, has, stateFor } from '../disturbed.ts';
import type { Effect } from '../faults.ts';
import type { Inside } from '../front.ts';
import { Refusal } from '../model/refusal.ts';
import type { Action, Fields, Setting } from './actions/action.ts';
import { actions } from './actions/all.ts';
import { type AccessKey, keyOf } from './keys.ts';
import { type Parameters, parametersOf } from './parameters.ts';
import { Refused, worded } from './refused.ts';
import { answerXml, errorXml, VERSION } from './xml.ts';

const LARGEST_BODY = 1 << 20;
const MOST_AT_ONCE = 500;
/** The changing actions that EC2 has no dry run for: the parameter is unknown to them. */
const withoutDryRun: readonly string[] = [
  'AssignPrivateIpAddresses',
  'UnassignPrivateIpAddresses',
  'AssignIpv6Addresses',
  'UnassignIpv6Addresses',
];

/** What requests are answered from. */
export interface Service {
  readonly inside: Inside;
  readonly setting: Setting;
  /** May be changed while it serves. */
  readonly keys: readonly AccessKey[];
  readonly throttle: (action: string) => void;
}

/** What becomes of a request as it goes along. */
interface Course {
  action: string;
  struck: readonly Effect[];
}

/** The listener for node:http. */
export function serve(service: Service): RequestListener {
  let atOnce = 0;
  return (request, response) => {
    atOnce++;
    // A caller that goes away while we answer is no mistake of ours; the change stands.
    response.on('error', () => {});
    void handle(service, request, response, atOnce > MOST_AT_ONCE).finally(() => atOnce--);
  };
}

async function handle(service: Service, request: IncomingMessage, response: ServerResponse, isTooMuch: boolean): Promise<void> {
  const requestId = randomUUID();
  const course: Course = { action: 'unknown', struck: [] };
  const started = performance.now();
  const { events } = service.inside;
  const note = (status: number, ending: string): void => {
    const fault = course.struck.map(({ kind }) => kind).join(',');
    const text = `ec2 ${course.action}: ${ending}${fault === '' ? '' : ` (fault: ${fault})`}`;
    events.add({
      kind: 'call',
      text,
      call: course.action,
      status,
      duration_ms: Math.round(performance.now() - started),
      ...(fault !== '' && { fault }),
    });
  };
  try {
    if (isTooMuch) throw new Refused('Unavailable', 'The server is overloaded', 503);
    const fields = await perform(service, request, course);
    if (fields === 'hang up') {
      note(0, 'connection closed');
      response.destroy();
      return;
    }
    note(200, 'done');
    send(response, service.setting, 200, answerXml(course.action, requestId, fields), requestId);
  } catch (error) {
    const { code, message, status } = refusedFor(error, service, course.action);
    note(status, `${code}: ${message}`);
    // What is left of a body that is too large must not be read as the next request.
    if (status === 413) response.setHeader('connection', 'close');
    send(response, service.setting, status, errorXml(code, message, requestId), requestId);
  }
}

async function perform(service: Service, request: IncomingMessage, course: Course): Promise<Fields | 'hang up'> {
  const { inside, setting, keys, throttle } = service;
  const { method = '', url: target = '/', headers } = request;
  const body = await bodyOf(request);
  const key = keyOf({ method, target, headers, body }, keys, setting.region, setting.now_ms());
  const parameters = formOf(method, target, body);
  const action = actionIn(parameters);
  course.action = action.name;
  throttle(action.name);
  course.struck = inside.faults.strike(action.like, action.does, action.name);
  await disturbBefore(course.struck, inside.stopping);
  if (has(course.struck, 'loseRequest')) return 'hang up';
  const isDry = withoutDryRun.includes(action.name) ? false : (parameters.flag('DryRun') ?? false);
  // To tag what is created is an action of its own.
  const needed = [action.name, ...(parameters.part('TagSpecification') === undefined ? [] : ['CreateTags'])];
  const denied = needed.find((name) => key.denied?.includes(name));
  if (denied !== undefined) throw notAuthorized(denied, key, setting);
  const run = prepared(action, parameters);
  if (isDry) throw new Refused('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', 412);
  const fields = await run(service, course.struck);
  return has(course.struck, 'loseAnswer') ? 'hang up' : fields;
}

/** Reads all parameters first: nothing is done for a request that has one too many. */
function prepared(action: Action, parameters: Parameters): (service: Service, struck: readonly Effect[]) => Promise<Fields> {
  if (action.does === 'read') {
    const tell = action.prepare(parameters);
    parameters.end();
    return ({ inside, setting }, struck) => Promise.resolve(tell(stateFor(inside.model, struck), setting));
  }
  const change = action.prepare(parameters);
  parameters.end();
  return async ({ inside, setting }, struck) => {
    const done = inside.model.transaction((transaction) => {
      try {
        return change(transaction, setting, disturbanceOf(struck));
      } catch (error) {
        if (error instanceof PartlyDone) return error; // the part that was done is kept
        throw error;
      }
    });
    await inside.converge();
    if (done instanceof PartlyDone) throw new Refused('InternalError', 'An internal error has occurred', 500);
    return done;
  };
}

function actionIn(parameters: Parameters): Action {
  const name = parameters.text('Action');
  if (name === undefined) throw new Refused('MissingAction', 'The request must contain the parameter Action');
  const version = parameters.text('Version');
  const action = actions.get(name);
  if (action === undefined || version !== VERSION)
    throw new Refused('InvalidAction', `The action ${name} is not valid for this web service with version ${version ?? 'none'}.`);
  return action;
}

function formOf(method: string, target: string, body: Buffer): Parameters {
  const query = target.indexOf('?');
  if (method === 'GET') return parametersOf(new URLSearchParams(query < 0 ? '' : target.slice(query + 1)));
  if (method !== 'POST') throw new Refused('InvalidAction', `The method ${method} is not supported`, 405);
  if (query >= 0) throw new Refused('MalformedQueryString', 'A POST has its parameters in the body');
  return parametersOf(new URLSearchParams(body.toString('utf8')));
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY) throw new Refused('RequestEntityTooLarge', `The body is larger than ${LARGEST_BODY} bytes`, 413);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** As EC2 words it: the reason is encoded, for those alone who may have it decoded. */
function notAuthorized(action: string, { id }: AccessKey, { account }: Setting): Refused {
  const encoded = randomBytes(192).toString('base64url');
  const message = `You are not authorized to perform this operation. User: arn:aws:iam::${account}:user/${id.slice(-4)} is not authorized to perform: ec2:${action} because no identity-based policy allows the ec2:${action} action. Encoded authorization failure message: ${encoded}`;
  return new Refused('UnauthorizedOperation', message, 403);
}

function refusedFor(error: unknown, { inside }: Service, action: string): Refused {
  if (error instanceof Refused) return error;
  if (error instanceof Refusal) return worded(error, actions.get(action)?.codes ?? {});
  const failed = asFailure(error);
  inside.log.error(sentence(failed), { code: failed.code, stack: error instanceof Error ? error.stack : undefined });
  return new Refused('InternalError', 'An internal error has occurred', 500);
}

function send(response: ServerResponse, { now_ms }: Setting, status: number, text: string, requestId: string): void {
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, {
    'content-type': 'text/xml;charset=UTF-8',
    'content-length': Buffer.byteLength(text),
    'x-amzn-requestid': requestId,
    date: new Date(now_ms()).toUTCString(),
  });
  response.end(text);
}
