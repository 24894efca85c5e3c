/**
 * Calls with a token: logs in with Keystone v3, finds services in its catalogue, and logs in again when the token ends or the credentials change.
 *
 * Invariants
 * - one login at a time, whoever waits for it
 * - a 401 is answered by one new login and the same call again, once: it was not carried out, so even a changing call may be repeated
 * - what the access rules of an application credential leave out is a 403, and means one new login for each path as long as tokens live: services say 401
 *   there too (keystonemiddleware, _validate_app_cred_access_rules), and whether the credential was revoked is told by the login
 */
import { isFailure } from '../../errors/failure.ts';
import { type Asked, reached, refuse, understood } from '../wire/asked.ts';
import { type Connections, connections, type HttpAnswer, type HttpCall } from '../wire/http.ts';
import { jsonCall, jsonOf } from '../wire/json.ts';
import { type CredentialSource, type ReadAccount, readAccount } from './credentials.ts';
import { type Token, tokenOf } from './token.ts';

/** The services that are called; their versions stand in `prefix`. */
export type Service = 'network' | 'compute' | 'load-balancer';

/** One call of the driver, which may ask several things: all of them within one deadline. */
export interface Task {
  readonly asked: Omit<Asked, 'endpoint'>;
  /** Milliseconds that are left. */
  readonly left_ms: () => number;
}

/** What is asked of a service. */
export interface Request {
  readonly method: HttpCall['method'];
  /** Behind the service's version, with its query. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What came back; `asked` is for the sentence of a refusal. */
export interface Answered {
  readonly status: number;
  readonly headers: HttpAnswer['headers'];
  readonly body: unknown;
  readonly asked: Asked;
  /** What the status means, where the service has no words for it. */
  readonly told?: string;
}

/** Who we are, once logged in. */
export interface Session {
  /** Any answer but 401. @throws Failure cloudCredentials, cloudDenied, cloudUnavailable, cloudGarbled, cloudInvalid */
  ask(service: Service, request: Request, task: Task): Promise<Answered>;
  /** The project and the roles of the token. */
  self(task: Task): Promise<Pick<Token, 'project' | 'roles'>>;
  close(): void;
}

interface Kept {
  readonly read: ReadAccount;
  readonly sockets: Connections;
  readonly token: Token;
  /** When the token ends, by performance.now(): it is as old as the login, whatever Keystone's clock says. */
  readonly until_ms: number;
  /** What was refused with a token when it was new, see {@link whatOf}. */
  readonly leftOut: Set<string>;
}

/** A token is not used in its last minute: a call may take as long. */
const MARGIN_ms = 60_000;
/** Files are looked at for changes at most that often. */
const LOOK_ms = 1000;

/** A session that logs in when it is first needed. */
export function sessionOf(source: CredentialSource): Session {
  let kept: Kept | undefined;
  let entering: Promise<Kept> | undefined;
  let looked_ms = -LOOK_ms;

  /** Between two logins the connections stay, unless other certificates say who is trusted. */
  async function login(task: Task): Promise<Kept> {
    const read = readAccount(source);
    const old = kept;
    const isSame = old !== undefined && old.read.ca === read.ca;
    const sockets = isSame ? old.sockets : connections(read.ca === undefined ? {} : { ca: read.ca });
    try {
      const asked_ms = performance.now();
      const token = await tokenFor(read.account, sockets, task);
      // What was found with a token that would have lived on is known, or two such paths in turn would be a login for each call.
      const isKnown = old !== undefined && isInTime(old) && !old.read.isStale();
      kept = { read, sockets, token, until_ms: asked_ms + token.life_ms, leftOut: isKnown ? old.leftOut : new Set() };
    } catch (error) {
      if (!isSame) sockets.close();
      throw error;
    }
    if (!isSame) old?.sockets.close();
    return kept;
  }
  function entered(task: Task): Promise<Kept> {
    entering ??= login(task).finally(() => {
      entering = undefined;
    });
    return entering;
  }
  function isGood(one: Kept): boolean {
    if (!isInTime(one)) return false;
    const now_ms = performance.now();
    if (now_ms - looked_ms < LOOK_ms) return true;
    looked_ms = now_ms;
    return !one.read.isStale();
  }
  const ready = (task: Task): Promise<Kept> => (kept !== undefined && isGood(kept) ? Promise.resolve(kept) : entered(task));

  return {
    async ask(service, request, task) {
      const first = await ready(task);
      const answer = await askWith(first, service, request, task);
      if (answer.status !== 401) return answer;
      if (first.leftOut.has(whatOf(answer, request))) return leftOut(answer, request, first);
      // Another call may have logged in meanwhile.
      const others = kept === first ? undefined : kept;
      const then = others ?? (await entered(task));
      const again = await askWith(then, service, request, task);
      if (again.status !== 401) return again;
      const { isRevocable, who } = then.read.account;
      if (!isRevocable) throw refuse.credentials(again.asked, `401 with a token given a moment ago to ${who}`);
      // After another's login the credential may have been revoked.
      if (others === undefined) then.leftOut.add(whatOf(again, request));
      return leftOut(again, request, then);
    },
    async self(task) {
      return (await ready(task)).token;
    },
    close() {
      kept?.sockets.close();
      kept = undefined;
    },
  };
}

function isInTime({ until_ms, token }: Kept): boolean {
  return until_ms - performance.now() >= Math.min(MARGIN_ms, token.life_ms / 2);
}

/** As access rules name it: method and path, without the query. */
function whatOf({ asked }: Answered, { method, path }: Request): string {
  return `${method} ${new URL(`${asked.endpoint}${path}`).pathname}`;
}

function leftOut(answer: Answered, request: Request, { read }: Kept): Answered {
  const told = `401 with a token given a moment ago: is ${whatOf(answer, request)} among the access rules of ${read.account.who}?`;
  return { ...answer, status: 403, told };
}

async function askWith({ read, sockets, token }: Kept, service: Service, request: Request, task: Task): Promise<Answered> {
  const base: Asked = { ...task.asked, endpoint: read.account.authUrl };
  const endpoint = token.endpoint(service, read.account, base);
  const asked: Asked = { ...task.asked, endpoint };
  const { method, path, body, headers } = request;
  const call = jsonCall(
    { method, endpoint, path, headers: { accept: 'application/json', ...headers, 'x-auth-token': token.secret() } },
    body,
  );
  const answer = await within(sockets, call, asked, task);
  return { status: answer.status, headers: answer.headers, body: bodyOf(answer, asked), asked };
}

/** A proxy before the service says that it is overloaded, or that nobody is behind it, in a page of its own; of a 401 nobody needs the words. */
function bodyOf(answer: HttpAnswer, asked: Asked): unknown {
  const isProxy = answer.status >= 500 || answer.status === 429;
  if (answer.status === 401 || (isProxy && !(answer.headers['content-type'] ?? '').includes('json'))) return undefined;
  return understood(answer, jsonOf, asked);
}

async function within(sockets: Connections, call: HttpCall, asked: Asked, task: Task): Promise<HttpAnswer> {
  const left_ms = Math.floor(task.left_ms());
  if (left_ms <= 0) throw refuse.unavailable(asked, 'its time was over before all was asked');
  return await reached(sockets.exchange(call, left_ms), asked);
}

/** Whether Keystone itself says so (Identity API v3, Errors): not some other server that does not know the path. */
function isKeystones(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'error' in body && typeof body.error === 'object' && body.error !== null;
}

/** POST /v3/auth/tokens. */
async function tokenFor(account: ReadAccount['account'], sockets: Connections, task: Task): Promise<Token> {
  const asked: Asked = { ...task.asked, call: 'login', object: account.who, endpoint: account.authUrl };
  const call = jsonCall(
    { method: 'POST', endpoint: account.authUrl, path: '/auth/tokens', headers: { accept: 'application/json' } },
    { auth: account.auth() },
  );
  const answer = await within(sockets, call, asked, task);
  if (answer.status === 401) throw refuse.credentials(asked, `401: ${account.who} is not known by this secret, or not any more`);
  try {
    const body = understood(answer, jsonOf, asked);
    if (answer.status === 201) return understood({ body, headers: answer.headers }, tokenOf, asked);
    if (answer.status === 404 && account.isRevocable && isKeystones(body))
      throw refuse.credentials(asked, `404: ${account.who} is not there: was it revoked? Or is ${account.authUrl} not Keystone v3?`);
  } catch (error) {
    if (answer.status < 500 || !isFailure(error)) throw error;
  }
  if (answer.status >= 500) throw refuse.unavailable(asked, `status ${answer.status}`);
  if (answer.status === 403) throw refuse.denied(asked, `403: ${account.who} may not log in`);
  if (answer.status === 429) throw refuse.throttled(asked, 'status 429');
  throw refuse.invalid(
    asked,
    `status ${answer.status}: is ${account.authUrl} Keystone v3, and are the names of user, project and domains right?`,
  );
}
