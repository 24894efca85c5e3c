/**
 * The cluster as the user's own kubectl sees it. Reads go through it too, not through src/kube: so whatever proves who the user is (programs, single
 * sign-on, proxies, several kubeconfigs at once) works for the plugin as it does for kubectl.
 *
 * Invariants
 * - nothing is changed in the cluster: GET requests, and commands in the agents' Pods that only ask
 * - each call has a deadline and a limit to what it reads
 */
import { spawn } from 'node:child_process';
import { failure } from '../../errors/failure.ts';
import { type Collection, nameOf, type ObjectPath, type Selection, urlOf } from '../../kube/paths.ts';

const DEADLINE_ms = 60_000;
/** A list of 5000 nodes' objects has some 50 MB. */
const LONGEST_bytes = 512 << 20;
/** What an agent answers. */
const LONGEST_ANSWER_bytes = 16 << 20;
/** Objects in one page of a list. */
const PAGE = 500;

/** Which cluster, as for kubectl. */
export interface Connection {
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** What a list has. Objects that cannot be read are named, and left out. */
export interface Found<T> {
  readonly items: readonly T[];
  readonly unreadable: readonly string[];
}

/** A command that came to its end. */
interface Ended {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** See the head of this file. */
export interface Kubectl {
  /** undefined: there is none. @throws Failure kubectlMissing, kubectlRefused */
  get<T>(at: ObjectPath, parse: (value: unknown) => T): Promise<T | undefined>;
  /** @throws Failure kubectlMissing, kubectlRefused, flatpodMissing when it is of Flatpod and the cluster does not have it */
  list<T>(at: Collection, parse: (value: unknown) => T, selection?: Selection): Promise<Found<T>>;
  /** Runs a command in a container; its end, whatever that is. @throws Failure kubectlMissing, kubectlRefused when it did not come to run in time */
  exec(pod: { readonly namespace: string; readonly name: string; readonly container: string }, command: readonly string[]): Promise<Ended>;
  /** The namespace of the context. @throws Failure kubectlMissing, kubectlRefused */
  namespace(): Promise<string>;
}

/** Starts nothing yet. The program is KUBECTL of the environment, else kubectl on PATH. */
export function openKubectl({ kubeconfig, context }: Connection): Kubectl {
  const program = process.env['KUBECTL'] || 'kubectl';
  const which = [
    ...(kubeconfig === undefined ? [] : [`--kubeconfig=${kubeconfig}`]),
    ...(context === undefined ? [] : [`--context=${context}`]),
  ];
  const call = (args: readonly string[], limit: number): Promise<Ended> => runToEnd(program, [...which, ...args], limit);
  const raw = async (path: string, what: string): Promise<{ readonly json: unknown } | undefined> => {
    const { status, out, err } = await call(['get', '--raw', path], LONGEST_bytes);
    if (status !== 0 && /\(NotFound\)/.test(err)) return undefined;
    if (status !== 0) throw failure('kubectlRefused', { what, text: lastLine(err) });
    return { json: jsonOf(out, what) };
  };
  return {
    async get(at, parse) {
      const what = `get ${nameOf(at)}`;
      const found = await raw(urlOf(at), what);
      return found === undefined ? undefined : readWhole(found.json, parse, what);
    },
    async list(at, parse, selection = {}) {
      const what = `list ${nameOf(at)}`;
      const items: unknown[] = [];
      for (let next: string | undefined = ''; next !== undefined; ) {
        const page = await raw(urlOf(at, { ...selection, limit: PAGE, continue: next || undefined }), what);
        if (page === undefined) throw failure('flatpodMissing', { resource: nameOf(at) });
        const { items: some, metadata } = listOf(page.json, what);
        items.push(...some);
        next = metadata?.continue || undefined;
      }
      return readEach(items, parse);
    },
    exec: ({ namespace, name, container }, command) =>
      call(['exec', '-n', namespace, name, '-c', container, '--', ...command], LONGEST_ANSWER_bytes),
    async namespace() {
      const { status, out, err } = await call(['config', 'view', '--minify', '-o', 'jsonpath={..namespace}'], LONGEST_ANSWER_bytes);
      if (status !== 0) throw failure('kubectlRefused', { what: 'read the kubeconfig', text: lastLine(err) });
      return out.trim() || 'default';
    },
  };
}

function runToEnd(program: string, args: readonly string[], limit: number): Promise<Ended> {
  const { promise, resolve, reject } = Promise.withResolvers<Ended>();
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  let length = 0;
  const giveUp = (text: string): void => {
    child.kill('SIGKILL');
    reject(failure('kubectlRefused', { what: args.slice(0, 4).join(' '), text }));
  };
  const timer = setTimeout(() => giveUp(`no end within ${DEADLINE_ms / 1000} s`), DEADLINE_ms);
  const keep = (parts: Buffer[]) => (part: Buffer) => {
    parts.push(part);
    length += part.length;
    if (length > limit) giveUp(`it answers more than ${limit >> 20} MiB`);
  };
  child.stdout.on('data', keep(out));
  child.stderr.on('data', keep(err));
  child.on('error', (error) => {
    clearTimeout(timer);
    reject(failure('kubectlMissing', { text: error.message }, error));
  });
  child.on('close', (status) => {
    clearTimeout(timer);
    resolve({ status: status ?? 1, out: Buffer.concat(out).toString('utf8'), err: Buffer.concat(err).toString('utf8') });
  });
  return promise;
}

function jsonOf(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw failure('kubectlRefused', { what, text: `it answered no JSON: ${text.slice(0, 80)}` }, cause);
  }
}

interface Page {
  readonly items: readonly unknown[];
  readonly metadata?: { readonly continue?: string };
}

function listOf(value: unknown, what: string): Page {
  const isList = typeof value === 'object' && value !== null && 'items' in value && (Array.isArray(value.items) || value.items === null);
  if (!isList) throw failure('kubectlRefused', { what, text: 'the answer is no list' });
  // A Go server writes an empty list as null now and then; `metadata` is a list's own by the API's conventions.
  const { items, metadata } = value as { items: unknown[] | null; metadata?: { continue?: string } };
  return { items: items ?? [], ...(metadata !== undefined && { metadata }) };
}

function readWhole<T>(value: unknown, parse: (value: unknown) => T, what: string): T {
  try {
    return parse(value);
  } catch (cause) {
    throw failure('kubectlRefused', { what, text: `what it says cannot be read: ${wordsOf(cause)}` }, cause);
  }
}

function readEach<T>(values: readonly unknown[], parse: (value: unknown) => T): Found<T> {
  const unreadable: string[] = [];
  const items = values.flatMap((value) => {
    try {
      return [parse(value)];
    } catch (error) {
      unreadable.push(`${titleOf(value)}: ${wordsOf(error)}`);
      return [];
    }
  });
  return { items, unreadable };
}

function titleOf(value: unknown): string {
  // Whatever it is, these fields are looked at one by one.
  const { kind, metadata } = (value ?? {}) as { kind?: unknown; metadata?: { name?: unknown; namespace?: unknown } };
  return [kind, metadata?.namespace, metadata?.name].filter((part) => typeof part === 'string').join(' ') || 'an object without a name';
}

/** The first complaint of a schema, or the error's message. */
function wordsOf(error: unknown): string {
  if (error instanceof Error && 'issues' in error && Array.isArray(error.issues)) {
    // Zod's, in its own shape.
    const [first] = error.issues as { path: PropertyKey[]; message: string }[];
    if (first !== undefined) return `${first.path.map(String).join('.')}: ${first.message}`;
  }
  return error instanceof Error ? error.message : String(error);
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() || 'it said nothing';
}
