/**
 * The Kubernetes API, as much of it as Flatpod needs.
 *
 * Invariants
 * - every call ends by its deadline, and reads no answer longer than its limit
 * - it rejects with a Failure kube* and nothing else
 * - what may have been done is not done again: GETs are repeated after silence, changes only when the server said that it did not take them up
 * - an answer is believed only when the caller's parse function took it
 */
import type { Access } from './access.ts';
import { isFailure } from '../errors/failure.ts';
import { isRecord, jsonOf, parsed } from './answers.ts';
import type { Asked, CallOptions, Listed, ListOptions, Parse, Patch, WatchRequest } from './asked.ts';
import type { Request } from './exchange.ts';
import { listAll } from './listing.ts';
import { type Collection, type ObjectPath, type Query, type Selection, urlOf } from './paths.ts';
import { openSender } from './sending.ts';
import { watchOnce } from './watch.ts';

/** One connection to an API server's API. */
export interface KubeApi {
  /** @throws Failure kubeNotFound, and as every call kubeUnreachable, kubeBusy, kubeForbidden, kubeUnauthorized, kubeNoSuchResource, kubeGarbled, kubeTooLarge */
  get<T>(at: ObjectPath, parse: Parse<T>, options?: CallOptions): Promise<T>;
  /** As get, but undefined when there is none. */
  find<T>(at: ObjectPath, parse: Parse<T>, options?: CallOptions): Promise<T | undefined>;
  /** All of them as of one moment, read page by page. `parse` sees one item at a time. */
  list<T>(at: Collection, parse: Parse<T>, how?: Selection & ListOptions): Promise<Listed<T>>;
  /** @throws Failure kubeAlreadyExists, kubeInvalid */
  create<T>(at: Collection, body: object, parse: Parse<T>, options?: CallOptions): Promise<T>;
  /** Replaces the whole. `metadata.resourceVersion` in it is what it replaces. @throws Failure kubeConflict, kubeInvalid, kubeNotFound */
  replace<T>(at: ObjectPath, body: object, parse: Parse<T>, options?: CallOptions): Promise<T>;
  /** @throws Failure kubeConflict, kubeInvalid, kubeNotFound */
  patch<T>(at: ObjectPath, patch: Patch, parse: Parse<T>, options?: CallOptions): Promise<T>;
  /** Succeeds when there is nothing of that name. @throws Failure kubeConflict when it is not the one of `uid`, or not as it was at `resourceVersion` */
  delete(at: ObjectPath, only?: { readonly uid?: string; readonly resourceVersion?: string }, options?: CallOptions): Promise<void>;
  /** See {@link WatchRequest}. */
  watch(at: Collection, request: WatchRequest): Promise<void>;
  /** Ends every connection; calls under way fail. */
  close(): void;
}

/** Of a call with its repetitions. */
const DEADLINE_ms = 10_000;
/** Of a page of a list: the API server itself gives a list a minute. */
const LIST_DEADLINE_ms = 60_000;
/** A page of 500 objects of 100 KiB. */
const LONGEST_bytes = 64 << 20;

/** Opens no connection yet. `userAgent` is `PROGRAM/VERSION`. */
export function openApi(access: Access, { userAgent }: { readonly userAgent: string }): KubeApi {
  const { server } = access;
  const sender = openSender(access, userAgent);
  const manager = userAgent.split('/')[0] ?? userAgent;

  const call = async (asked: Asked, request: Request, { deadline_ms = DEADLINE_ms }: CallOptions = {}): Promise<unknown> => {
    const { text } = await sender.send(request, { deadline_ms, limit_bytes: LONGEST_bytes, repeats: true }, asked);
    return jsonOf(text, asked);
  };
  const get = async <T>(at: ObjectPath, parse: Parse<T>, options?: CallOptions): Promise<T> => {
    const asked = { at, verb: 'get', server };
    return parsed(await call(asked, { method: 'GET', path: urlOf(at), headers: {} }, options), parse, asked);
  };
  const change = async <T>(asked: Asked, request: Request, parse: Parse<T>, options?: CallOptions): Promise<T> =>
    parsed(await call(asked, request, options), parse, asked);
  return {
    get,
    async find(at, parse, options) {
      try {
        return await get(at, parse, options);
      } catch (error) {
        if (isFailure(error, 'kubeNotFound')) return undefined;
        throw error;
      }
    },
    list: (at, parse, how = {}) => {
      const asked = { at, verb: 'list', server };
      const page = (query: Query) =>
        call(asked, { method: 'GET', path: urlOf(at, query), headers: {} }, { deadline_ms: LIST_DEADLINE_ms, ...how });
      return listAll(page, (item) => parsed(item, parse, asked), how, asked);
    },
    create: (at, body, parse, options) =>
      change({ at: named(at, body), verb: 'create', server }, { method: 'POST', path: urlOf(at), ...json(body) }, parse, options),
    replace: (at, body, parse, options) =>
      change({ at, verb: 'update', server }, { method: 'PUT', path: urlOf(at), ...json(body) }, parse, options),
    patch: (at, { kind, body }, parse, options) => {
      const query = kind === 'apply' ? { fieldManager: manager, force: 'true' } : {};
      const request: Request = { method: 'PATCH', path: urlOf(at, query), ...json(body, patchTypes[kind]) };
      return change({ at, verb: 'patch', server }, request, parse, options);
    },
    async delete(at, only, options) {
      const body = { kind: 'DeleteOptions', apiVersion: 'v1', ...(only === undefined ? {} : { preconditions: only }) };
      try {
        await call({ at, verb: 'delete', server }, { method: 'DELETE', path: urlOf(at), ...json(body) }, options);
      } catch (error) {
        if (!isFailure(error, 'kubeNotFound')) throw error;
      }
    },
    watch: (at, request) => watchOnce(sender, { at, verb: 'watch', server }, request),
    close: () => sender.close(),
  };
}

const patchTypes = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  // JSON is YAML; application/apply-patch+json does not exist.
  apply: 'application/apply-patch+yaml',
} as const;

function json(body: unknown, type = 'application/json'): { headers: Record<string, string>; body: string } {
  return { headers: { 'content-type': type }, body: JSON.stringify(body) };
}

/** The object that is to be created, for what is said about it. */
function named(at: Collection, body: object): Collection | ObjectPath {
  const name = 'metadata' in body && isRecord(body.metadata) ? body.metadata['name'] : undefined;
  return typeof name === 'string' ? { ...at, name } : at;
}
