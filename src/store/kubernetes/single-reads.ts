/** Objects that are read one by one when somebody on the node needs them: an agent watches none of their kind. */
import { asFailure, isFailure, sentence } from '../../errors/failure.ts';
import type { Log } from '../../log.ts';

/** One that could not be read is read again after the first pause, which doubles up to the longest, as long as it is needed. */
const FIRST_PAUSE_ms = 1000;
const LONGEST_PAUSE_ms = 30_000;
/** Objects kept in memory. */
const LIMIT = 10_000;

/** What it takes. An object goes by its name, `namespace` or `namespace/name`. */
export interface SingleReadsOptions<T> {
  readonly log: Log;
  /** The kind, as the log calls it. */
  readonly kind: string;
  /** Asks the API server. @throws Failure kube* */
  readonly ask: (name: string) => Promise<T>;
  /** One that is older than this is read again when it is asked for. */
  readonly old_ms: number;
  /** Whether anybody on the node needs it still. */
  readonly isNeeded: (name: string) => boolean;
  /** After so long it is read again by itself, while it is needed; undefined: it is not. Never when absent. */
  readonly again_ms?: (read: T) => number | undefined;
  /** Called with each answer; undefined: there is none of that name. */
  readonly learnt?: (name: string, read: T | undefined) => void;
  /** One that could not be read was, or one that was to be read again says what was waited for. */
  readonly changed: () => void;
}

/** See the head of this file. */
export class SingleReads<T> {
  readonly #options: SingleReadsOptions<T>;
  readonly #known = new Map<string, { readonly read: T; readonly at_ms: number }>();
  readonly #reading = new Map<string, Promise<void>>();
  readonly #again = new Map<string, NodeJS.Timeout>();
  /** Reads in a row that failed. */
  readonly #failures = new Map<string, number>();
  #stopped = false;

  constructor(options: SingleReadsOptions<T>) {
    this.#options = options;
  }

  /** As it was last read; undefined when it never could be. */
  get(name: string): T | undefined {
    return this.#known.get(name)?.read;
  }

  /** Whether it is being read, or will be. */
  isAwaited(name: string): boolean {
    return this.#reading.has(name) || this.#again.has(name);
  }

  /** Reads it unless it was read a moment ago. Rejects never: what fails is in the log, and tried again. */
  refresh(name: string): Promise<void> {
    const known = this.#known.get(name);
    if (known !== undefined && performance.now() - known.at_ms < this.#options.old_ms) return Promise.resolve();
    const running = this.#reading.get(name) ?? this.read(name).finally(() => this.#reading.delete(name));
    this.#reading.set(name, running);
    return running;
  }

  /** Reads it. Rejects never. */
  async read(name: string): Promise<void> {
    const { ask, again_ms, learnt } = this.#options;
    const at_ms = performance.now();
    try {
      const read = await ask(name);
      if (this.#stopped) return;
      if (this.#known.size >= LIMIT) this.#known.clear();
      this.#known.set(name, { read, at_ms });
      this.#failures.delete(name);
      const pause_ms = again_ms?.(read);
      if (pause_ms !== undefined) this.#lookAgain(name, pause_ms);
      learnt?.(name, read);
    } catch (error) {
      if (!this.#stopped) this.#failed(name, error);
    }
  }

  /** Reads nothing by itself any more. */
  stop(): void {
    this.#stopped = true;
    this.#again.forEach((timer) => clearTimeout(timer));
  }

  #failed(name: string, error: unknown): void {
    const { log, kind, learnt } = this.#options;
    if (isFailure(error, 'kubeNotFound')) learnt?.(name, undefined);
    const failures = this.#failures.get(name) ?? 0;
    const [namespace] = name.split('/');
    // Once per outage, not once per try.
    log[failures === 0 ? 'warn' : 'debug'](`${kind} ${name} could not be read: ${sentence(asFailure(error))}`, { namespace });
    this.#failures.set(name, failures + 1);
    this.#lookAgain(name, Math.min(LONGEST_PAUSE_ms, FIRST_PAUSE_ms * 2 ** Math.min(failures, 10)));
  }

  #lookAgain(name: string, pause_ms: number): void {
    const { isNeeded, again_ms, changed } = this.#options;
    clearTimeout(this.#again.get(name));
    const timer = setTimeout(() => {
      this.#again.delete(name);
      if (!isNeeded(name)) {
        this.#failures.delete(name);
        return;
      }
      void this.read(name).then(() => {
        const read = this.get(name);
        if (!this.#stopped && !this.#failures.has(name) && read !== undefined && again_ms?.(read) === undefined) changed();
      });
    }, pause_ms);
    this.#again.set(name, timer.unref());
  }
}
