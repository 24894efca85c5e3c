/** FP150–FP159: state on disk. */
import type { ErrorEntry } from '../catalogue.ts';

export const storeErrors = {} as const satisfies Record<string, ErrorEntry>;
