/** FP100–FP119: what a runtime or user sends: environment, stdin, CNI configuration. */
import type { ErrorEntry } from '../catalogue.ts';

export const requestErrors = {} as const satisfies Record<string, ErrorEntry>;
