/** One Lease on a server that is slow, deaf or dumb when told, and candidates that can be stopped like a process: all on one virtual clock. */
import { failure } from '../../src/errors/failure.ts';
import type { LeaseApi } from '../../src/kube/election.ts';
import type { ElapsedClock } from '../../src/kube/clock.ts';
import type { VirtualClock } from '../cloud/virtual-clock.ts';

/** What happens to a request on its way. */
export interface Weather {
  /** Before the server acts. */
  readonly there_ms: number;
  /** Before the answer is here. */
  readonly back_ms: number;
  /** The request or the answer never arrives. */
  readonly lost?: 'request' | 'answer';
}

/** The server's one Lease. */
export interface LeaseServer {
  /** Undefined: there is none. */
  stored: Readonly<Record<string, unknown>> | undefined;
  /** The holder in it, '' for nobody. */
  readonly holder: string;
  writes: number;
  /** How one process reaches it. `weather` is asked for each request. */
  api(clock: ElapsedClock, weather: () => Weather): LeaseApi;
}

export function leaseServer(world: VirtualClock): LeaseServer {
  let version = 0;
  const refused = (kind: 'kubeConflict' | 'kubeNotFound' | 'kubeAlreadyExists') => failure(kind, { object: 'leases l', text: kind });
  const server: LeaseServer = {
    stored: undefined,
    writes: 0,
    get holder() {
      const spec = (server.stored?.['spec'] ?? {}) as { holderIdentity?: string }; // written by heldBy
      return spec.holderIdentity ?? '';
    },
    api(clock, weather) {
      const call = <T>(act: () => unknown, parse: (value: unknown) => T, deadline_ms = 5000): Promise<T> =>
        new Promise((resolve, reject) => {
          const { there_ms, back_ms, lost } = weather();
          // The client's patience runs on its own clock, the network on the world's.
          const cancel = clock.after(deadline_ms, () =>
            reject(failure('kubeUnreachable', { call: 'update leases l', server: 'here', text: 'no answer' })),
          );
          if (lost === 'request') return;
          world.after(there_ms, () => {
            let settle: () => void;
            try {
              const value = structuredClone(act());
              settle = () => resolve(parse(value));
            } catch (error) {
              settle = () => reject(error);
            }
            if (lost === 'answer') return;
            world.after(back_ms, () =>
              // Heard only by a process that runs.
              clock.after(0, () => {
                cancel();
                settle();
              }),
            );
          });
        });
      const write = (body: object): unknown => {
        server.writes++;
        version++;
        const { metadata } = body as { metadata?: object }; // every object has one
        server.stored = { ...structuredClone(body), metadata: { ...metadata, resourceVersion: String(version) } };
        return server.stored;
      };
      const versionOf = (object: unknown) => (object as { metadata?: { resourceVersion?: string } }).metadata?.resourceVersion;
      return {
        find: (_at, parse, options) =>
          call(
            () => server.stored,
            (value) => (value === undefined ? undefined : parse(value)),
            options?.deadline_ms,
          ),
        create: (_at, body, parse, options) =>
          call(
            () => {
              if (server.stored !== undefined) throw refused('kubeAlreadyExists');
              return write(body);
            },
            parse,
            options?.deadline_ms,
          ),
        replace: (_at, body, parse, options) =>
          call(
            () => {
              if (server.stored === undefined) throw refused('kubeNotFound');
              if (versionOf(body) !== versionOf(server.stored)) throw refused('kubeConflict');
              return write(body);
            },
            parse,
            options?.deadline_ms,
          ),
      };
    },
  };
  return server;
}

/** A process: while it is stopped nothing of it runs, and its clock goes on. */
export interface Process extends ElapsedClock {
  pause(): void;
  resume(): void;
}

/** `rate`: how fast its clock runs beside the world's. */
export function processOn(world: VirtualClock, rate = 1, start_ms = 0): Process {
  const begun_ms = world.now_ms();
  let paused = false;
  let due: (() => void)[] = [];
  return {
    elapsed_ms: () => start_ms + (world.now_ms() - begun_ms) * rate,
    after(delay_ms, ring) {
      let on = true;
      const run = (): void => {
        if (!on) return;
        if (paused) due.push(run);
        else {
          on = false;
          ring();
        }
      };
      const cancel = world.after(delay_ms / rate, run);
      return () => {
        on = false;
        cancel();
      };
    },
    pause: () => void (paused = true),
    resume() {
      paused = false;
      const now = due;
      due = [];
      for (const run of now) run();
    },
  };
}
