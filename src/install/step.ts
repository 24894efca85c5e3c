/** What the installer did, one thing at a time, for the person who ran it. */

/** One file, and what became of it. */
export interface Step {
  readonly done: 'written' | 'unchanged' | 'set aside' | 'removed' | 'absent' | 'kept';
  readonly path: string;
  /** What there is to know beside; possibly empty. */
  readonly note: string;
}

/** Hears of each step when it is done. */
export type Tell = (step: Step) => void;
