/** What can be asked of an API server, and how the answer is wanted: the words that this folder shares. */
import { type Collection, nameOf, type ObjectPath, type Selection } from './paths.ts';

/** What was asked, for the sentences. */
export interface Asked {
  /** The object also when it is to be created. */
  readonly at: Collection | ObjectPath;
  /** `get`, `patch`. */
  readonly verb: string;
  readonly server: string;
}

/** `list pods in default`. */
export function callOf({ verb, at }: Asked): string {
  return `${verb} ${nameOf(at)}`;
}

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
  /** For the whole call with its repetitions: 10 s when absent. For a page of a list: 60 s. */
  readonly deadline_ms?: number;
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
