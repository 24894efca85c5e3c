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
import type { Collection, ObjectPath, Selection } from './paths.ts';

/** Checks what came and makes it a value of ours; throws when it is not what it should be. The error's message is shown. */
export type Parse<T> = (value: unknown) => T;

/** What a list was at one moment. */
export interface Listed<T> {
  readonly items: readonly T[];
  /** Where a watch goes on from. */
  readonly resourceVersion: string;
}

/** How to change an object. The server notes the program's name (userAgent up to its `/`) as the fields' manager. */
export type Patch =
  /** RFC 7386: given fields replace, null removes. `metadata.resourceVersion` in it makes it fail when the object is another by now. */
  | { readonly kind: 'merge'; readonly body: object }
  /** RFC 6902, with its `test`. */
  | { readonly kind: 'json'; readonly body: readonly object[] }
  /** Server-side apply: creates what is missing; ours are exactly the fields given, and we take them from whoever has them. */
  | { readonly kind: 'apply'; readonly body: object };

/** How patient to be. */
export interface CallOptions {
  /** For the whole call with its repetitions; 10 s when absent. */
  readonly deadline_ms?: number;
}

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
  /** Succeeds when there is nothing of that name. @throws Failure kubeConflict when it is not the one of `uid` */
  delete(at: ObjectPath, only?: { readonly uid?: string }, options?: CallOptions): Promise<void>;
  /** See {@link WatchRequest}. */
  watch(at: Collection, request: WatchRequest): Promise<void>;
  /** Ends every connection; calls under way fail. */
  close(): void;
}

/** How a list is read. */
export interface ListOptions extends CallOptions {
  /** Not older than this version; absent: the newest there is. `0`: whatever the server has at hand. */
  readonly notOlderThan?: string;
}

/** Follows changes from a version on. Resolves when the server ended it in good order. @throws Failure kubeExpired when it does not remember that version any more */
export interface WatchRequest extends Selection {
  readonly resourceVersion: string;
  /** The server is asked to end it after that. */
  readonly lasts_s: number;
  /** Given up when nothing at all has come for that long: a server tells bookmarks about every minute. */
  readonly silence_ms: number;
  /** Ends it early; it resolves then. */
  readonly signal: AbortSignal;
  /** Called when the server has taken it up. */
  readonly began: () => void;
  /** One event as it came; errors among them are told by rejecting instead. What it throws ends the watch. */
  readonly event: (event: WatchEvent) => void;
}

/** What a server tells of. A BOOKMARK has no object but its version. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: unknown;
}

/** Opens no connection yet. `userAgent` is `PROGRAM/VERSION`. */
export function openApi(access: Access, { userAgent }: { readonly userAgent: string }): KubeApi {
  throw new Error(`not yet: ${access.server} ${userAgent}`);
}
