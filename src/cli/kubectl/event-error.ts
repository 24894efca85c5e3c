/** What a kubelet's event says about a sandbox that could not be made, and whose error it is. */
import type { EventView } from './core.ts';

/** An error in an event. */
export interface EventError {
  /** Flatpod's code; undefined when somebody else's. */
  readonly code: number | undefined;
  /** What happened. */
  readonly message: string;
  /** The particulars, with what to do; possibly empty. */
  readonly details: string;
  readonly last_ms: number;
  readonly count: number;
}

const REASON = 'FailedCreatePodSandBox';
/** How libcni and containerd pass on what a plugin says: `plugin type="flatpod" failed (add): MSG; DETAILS`. */
const BY_PLUGIN = /plugin type="[^"]*"(?: name="[^"]*")? failed \(add\): ([\s\S]*)$/;
const OURS = /^([\s\S]*?) \(FP(\d{3})\)(?:[;:] ?([\s\S]*))?$/;

/** The last of a Pod's events about its sandbox; undefined: none failed. */
export function lastSandboxError(events: readonly EventView[]): EventError | undefined {
  const [last] = events.filter(({ reason }) => reason === REASON).toSorted((a, b) => b.last_ms - a.last_ms);
  if (last === undefined) return undefined;
  const { last_ms, count } = last;
  const told = (BY_PLUGIN.exec(last.message)?.[1] ?? last.message.replace(/^.*?desc = /s, '')).trim();
  const [, message = told, code, details = ''] = OURS.exec(told) ?? [];
  return { code: code === undefined ? undefined : Number(code), message, details: details.trim(), last_ms, count };
}
