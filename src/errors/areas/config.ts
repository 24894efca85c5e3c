/** FP190–FP199: configuration files. */
import type { ErrorEntry } from '../catalogue.ts';

export const configErrors = {} as const satisfies Record<string, ErrorEntry>;
