/** FP180–FP189: the emulated VPC and its fabric. */
import type { ErrorEntry } from '../catalogue.ts';

export const vpcErrors = {} as const satisfies Record<string, ErrorEntry>;
