/**
 * The Kubernetes API in memory, as far as Flatpod uses it: identity, versions, conflicts, the status kept apart, watches that may be late, calls that fail.
 * Nothing takes time, so that it runs under a virtual clock.
 */
import { type Failure, failure } from '../../src/errors/failure.ts';
import { isRecord } from '../../src/kube/answers.ts';
import type { KubeApi } from '../../src/kube/api.ts';
import type { Parse, Patch, WatchRequest } from '../../src/kube/asked.ts';
import { type Collection, nameOf, type ObjectPath, type Selection } from '../../src/kube/paths.ts';
import { ipClaimSpec } from '../../src/store/ip-claim.ts';
import { jsonPatched, mergePatched } from './patches.ts';

/** A call as it came. */
export interface KubeCall {
  readonly verb: 'get' | 'list' | 'create' | 'replace' | 'patch' | 'delete' | 'watch';
  readonly resource: string;
  readonly name?: string;
  readonly subresource?: string;
}

/** What becomes of a call: as usual, refused, or done with its answer lost. */
export type KubeFault = 'none' | 'loseAnswer' | Failure;

export interface MemoryKube extends KubeApi {
  readonly calls: KubeCall[];
  /** Decides what happens to each call but watches. */
  fault: (call: KubeCall) => KubeFault;
  /** While true, watches tell nothing. */
  late: boolean;
  /** Tells what was held back. */
  catchUp(): void;
  /** Ends all watches with that, as a server does that goes away; what follows is up to `fault`. */
  cutWatches(why: Failure): void;
  /** Somebody else's hand: makes it, or changes it by a merge patch, its status too. */
  put(at: Collection, object: object): void;
  /** Somebody else's hand: it is gone at once. */
  remove(at: ObjectPath): void;
  /** As it stands there. */
  stored(at: ObjectPath): unknown;
}

/** An object as JSON has it. */
interface Stored {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly finalizers?: readonly string[];
    readonly deletionTimestamp?: string;
  };
  readonly spec?: unknown;
  readonly status?: unknown;
}

interface Happening {
  readonly version: number;
  readonly at: Collection;
  readonly before: Stored | undefined;
  readonly after: Stored | undefined;
}

interface Watcher {
  readonly at: Collection;
  readonly request: WatchRequest;
  seen: number;
  readonly end: (why?: Failure) => void;
}

export function memoryKube(): MemoryKube {
  const objects = new Map<string, Stored>();
  const history: Happening[] = [];
  const watchers = new Set<Watcher>();
  let version = 1;
  let uids = 0;

  const keyOf = ({ resource, namespace = '', name }: ObjectPath): string => `${resource}/${namespace}/${name}`;
  const pathOf = (at: Collection, { metadata: { name, namespace } }: Stored): ObjectPath => ({
    ...at,
    name,
    ...(namespace !== undefined && { namespace }),
  });
  const known = (at: ObjectPath): Stored => {
    const found = objects.get(keyOf(at));
    if (found === undefined) throw failure('kubeNotFound', { object: nameOf(at), text: `"${at.name}" not found` });
    return found;
  };

  /** The only way anything changes. */
  function store(at: ObjectPath, after: Stored | undefined): Stored | undefined {
    const before = objects.get(keyOf(at));
    version++;
    const full = after && { ...after, metadata: { ...after.metadata, resourceVersion: String(version) } };
    // As on the wire: a field that is undefined is not there.
    const made = full && (JSON.parse(JSON.stringify(full)) as Stored);
    if (made === undefined) objects.delete(keyOf(at));
    else objects.set(keyOf(at), made);
    const { subresource: _, ...collection } = at;
    history.push({ version, at: collection, before, after: made });
    queueMicrotask(tell);
    return made;
  }

  function tell(): void {
    if (kube.late) return;
    for (const watcher of watchers) {
      const from = history.findLastIndex((one) => one.version <= watcher.seen) + 1;
      for (const happening of history.slice(from)) {
        watcher.seen = happening.version;
        if (watcher.request.signal.aborted || !covers(watcher.at, happening.at)) continue;
        const is = happening.after !== undefined && selects(watcher.request, happening.after);
        const was = happening.before !== undefined && selects(watcher.request, happening.before);
        if (!is && !was) continue;
        const gone = { ...happening.before, metadata: { ...happening.before?.metadata, resourceVersion: String(happening.version) } };
        const object = structuredClone(is ? happening.after : gone);
        watcher.request.event({ type: is ? (was ? 'MODIFIED' : 'ADDED') : 'DELETED', object });
      }
    }
  }

  async function call<T>(made: KubeCall, parse: Parse<T>, effect: () => unknown): Promise<T> {
    kube.calls.push(made);
    const fault = kube.fault(made);
    await Promise.resolve();
    if (typeof fault === 'object') throw fault;
    const answer = effect();
    await Promise.resolve();
    if (fault === 'loseAnswer') throw failure('kubeUnreachable', { call: made.verb, server: 'memory', text: 'the answer was lost' });
    return parse(structuredClone(answer));
  }

  function change(at: ObjectPath, next: (old: Stored) => unknown): Stored | undefined {
    const old = known(at);
    // What tests write are objects; their parsers look at the rest.
    const wanted = next(structuredClone(old)) as Stored;
    const { resourceVersion } = wanted.metadata;
    if (resourceVersion !== old.metadata.resourceVersion)
      throw failure('kubeConflict', { object: nameOf(at), text: 'the object has been modified' });
    const { uid, name } = old.metadata;
    const metadata = at.subresource === 'status' ? old.metadata : { ...wanted.metadata, uid, name };
    const parts = at.subresource === 'status' ? { ...old, status: wanted.status } : { ...wanted, ...statusOf(old) };
    const after: Stored = { ...parts, metadata };
    if (JSON.stringify(after) === JSON.stringify(old)) return old;
    check(at, after);
    const isFree = metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0;
    return isFree ? (store(at, undefined) ?? after) : store(at, after);
  }

  const kube: MemoryKube = {
    calls: [],
    fault: () => 'none',
    late: false,
    get: (at, parse) => call(callOf('get', at), parse, () => known(at)),
    find: (at, parse) =>
      call(
        callOf('get', at),
        (value) => (value === undefined ? undefined : parse(value)),
        () => objects.get(keyOf(at)),
      ),
    list: (at, parse, how = {}) =>
      call(
        callOf('list', at),
        (listed) => {
          const { items, resourceVersion } = listed as { readonly items: readonly unknown[]; readonly resourceVersion: string };
          return { items: items.map((item) => parse(item)), resourceVersion };
        },
        // Of one moment: what happens while the answer is on its way is for the watch.
        () => ({
          items: [...objects].flatMap(([key, one]) => (isOf(at, key, one) && selects(how, one) ? [one] : [])),
          resourceVersion: String(version),
        }),
      ),
    create: (at, body, parse) =>
      call(callOf('create', at), parse, () => {
        const { metadata, status: _, ...rest } = body as Stored;
        const fresh: Stored = { ...rest, metadata: { ...metadata, ...inNamespace(at), uid: `uid-${++uids}`, resourceVersion: '' } };
        const path = pathOf(at, fresh);
        if (objects.has(keyOf(path))) throw failure('kubeAlreadyExists', { object: nameOf(path), text: 'already exists' });
        check(path, fresh);
        return store(path, fresh);
      }),
    replace: (at, body, parse) => call(callOf('replace', at), parse, () => change(at, () => body)),
    patch: (at, patch, parse) => call(callOf('patch', at), parse, () => change(at, (old) => patched(old, patch))),
    delete: (at, { uid, resourceVersion } = {}) =>
      call(
        callOf('delete', at),
        () => undefined,
        () => {
          const old = objects.get(keyOf(at));
          if (old === undefined) return;
          if (uid !== undefined && uid !== old.metadata.uid) throw failure('kubeConflict', { object: nameOf(at), text: 'another uid' });
          if (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion)
            throw failure('kubeConflict', { object: nameOf(at), text: 'another version' });
          const holds = (old.metadata.finalizers ?? []).length > 0;
          store(at, holds ? { ...old, metadata: { ...old.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } } : undefined);
        },
      ),
    async watch(at, request) {
      kube.calls.push(callOf('watch', at));
      const fault = kube.fault(callOf('watch', at));
      await Promise.resolve();
      if (typeof fault === 'object') throw fault;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const end = (why?: Failure): void => (why === undefined ? resolve() : reject(why));
      const watcher = { at, request, seen: Number(request.resourceVersion), end };
      if (request.signal.aborted) return;
      request.signal.addEventListener('abort', () => end(), { once: true });
      watchers.add(watcher);
      request.began();
      tell();
      await promise.finally(() => watchers.delete(watcher));
    },
    close: () => undefined,
    catchUp() {
      kube.late = false;
      tell();
    },
    cutWatches: (why) => [...watchers].forEach(({ end }) => end(why)),
    put(at, object) {
      const given = object as Stored;
      const path = pathOf(at, { ...given, metadata: { ...given.metadata, ...inNamespace(at) } });
      const old = objects.get(keyOf(path));
      const fresh = { metadata: { ...inNamespace(at), uid: `uid-${++uids}` } };
      store(path, mergePatched(old ?? fresh, given) as Stored);
    },
    remove: (at) => void store(at, undefined),
    stored: (at) => structuredClone(objects.get(keyOf(at))),
  };
  return kube;
}

function inNamespace({ namespace }: Collection): { namespace?: string } {
  return namespace === undefined ? {} : { namespace };
}

function statusOf({ status }: Stored): { status?: unknown } {
  return status === undefined ? {} : { status };
}

function callOf(verb: KubeCall['verb'], at: Collection | ObjectPath): KubeCall {
  return {
    verb,
    resource: at.resource,
    ...('name' in at && { name: at.name, ...(at.subresource !== undefined && { subresource: at.subresource }) }),
  };
}

function isOf(at: Collection, key: string, { metadata }: Stored): boolean {
  return key.startsWith(`${at.resource}/`) && (at.namespace === undefined || at.namespace === metadata.namespace);
}

function covers(watched: Collection, at: Collection): boolean {
  return watched.resource === at.resource && (watched.namespace === undefined || watched.namespace === at.namespace);
}

function selects({ fieldSelector }: Selection, object: Stored): boolean {
  const [path = '', value] = (fieldSelector ?? '').split('=');
  if (value === undefined) return true;
  const found = path.split('.').reduce<unknown>((inner, key) => (isRecord(inner) ? inner[key] : undefined), object);
  return found === value;
}

function patched(old: Stored, { kind, body }: Patch): unknown {
  // Nobody here applies: an agent and a controller that own halves of an object patch them.
  if (kind === 'json') return jsonPatched(old, body);
  return mergePatched(old, body);
}

/** The rules of the CRD that Flatpod itself may run into. */
function check(at: ObjectPath, { spec }: Stored): void {
  if (at.resource !== 'ipclaims') return;
  const wrong = ipClaimSpec.safeParse(spec).error?.issues.map(({ path, message }) => `spec.${path.join('.')}: ${message}`);
  if (wrong !== undefined) throw failure('kubeInvalid', { call: `create ${nameOf(at)}`, text: wrong.join('; ') });
}
