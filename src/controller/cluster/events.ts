/**
 * Events that users read in `kubectl describe` (events.k8s.io/v1): what is wrong with a Pod's, Node's or Namespace's addresses, why, and what to do.
 *
 * Invariants
 * - the same sentence about the same object is said once in ten minutes
 * - at most a few a second; beyond a limit the newest are left out: events are a courtesy, and never cost what they tell of
 * - saying one never fails and never waits
 */
import type { Clock } from '../../cloud/clock.ts';
import { asFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import type { Log } from '../../log.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import { shortened } from '../shortened.ts';

/** What an event is about. Without a namespace: an object of the cluster. */
export interface Regarding {
  /** Absent: v1. */
  readonly apiVersion?: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
}

/** One event. */
export interface Saying {
  readonly about: Regarding;
  readonly type: 'Normal' | 'Warning';
  /** In one word, for programs. */
  readonly reason: string;
  /** What was tried, in one word. */
  readonly action: string;
  /** Why, with numbers and remedy. */
  readonly note: string;
}

/** See the head of this file. */
export interface Events {
  /** Whether it was news: not said in the last ten minutes. */
  say(one: Saying): { readonly isNews: boolean };
  /** Leaves out what was not said yet. */
  stop(): void;
}

const AGAIN_ms = 600_000;
const PAUSE_ms = 200;
const LONGEST_QUEUE = 500;
const REMEMBERED = 10_000;
/** Of events.k8s.io/v1, note. */
const LONGEST_NOTE = 1024;
const DEADLINE_ms = 5000;

/** Says events as `instance`, the name of this replica. */
export function openEvents(api: Pick<KubeApi, 'create'>, instance: string, clock: Clock, log: Log): Events {
  const said_ms = new Map<string, number>();
  const queue: Saying[] = [];
  let busy = false;
  let stopped = false;

  function isNews({ about, reason, note }: Saying): boolean {
    const key = `${about.uid} ${reason} ${note}`;
    const now_ms = clock.now_ms();
    if (now_ms - (said_ms.get(key) ?? Number.NEGATIVE_INFINITY) < AGAIN_ms) return false;
    // The oldest first, as they came.
    for (const [old, at_ms] of said_ms) {
      if (said_ms.size < REMEMBERED && now_ms - at_ms < AGAIN_ms) break;
      said_ms.delete(old);
    }
    said_ms.delete(key);
    said_ms.set(key, now_ms);
    return true;
  }
  async function sayNext(): Promise<void> {
    const next = queue.shift();
    busy = next !== undefined && !stopped;
    if (next === undefined || stopped) return;
    try {
      await create(next);
    } catch (error) {
      log.debug(`an event was not said: ${sentence(asFailure(error))}`);
    }
    clock.after(PAUSE_ms, () => void sayNext());
  }
  async function create({ about, note, ...rest }: Saying): Promise<void> {
    const now_ms = clock.now_ms();
    // Kubernetes keeps the events of objects without a namespace there.
    const namespace = about.namespace ?? 'default';
    const body = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: {
        namespace,
        name: `${about.name.slice(0, 200)}.${now_ms.toString(16)}${Math.floor(Math.random() * 0xff_ffff).toString(16)}`,
      },
      eventTime: new Date(now_ms).toISOString().replace('Z', '000Z'),
      reportingController: 'flatpod.dev/controller',
      reportingInstance: instance,
      ...rest,
      regarding: { apiVersion: 'v1', ...about },
      note: shortened(note, LONGEST_NOTE),
    };
    await api.create({ ...resources.events, namespace }, body, () => undefined, { deadline_ms: DEADLINE_ms });
  }
  return {
    say(one) {
      if (stopped || !isNews(one)) return { isNews: false };
      if (queue.length < LONGEST_QUEUE) queue.push(one);
      if (!busy) void sayNext();
      return { isNews: true };
    },
    stop() {
      stopped = true;
      queue.length = 0;
    },
  };
}
