/** FP120–FP129: the agent itself: its socket, its verbs, choosing a subnet. */
import type { ErrorEntry } from '../catalogue.ts';

export const agentErrors = {} as const satisfies Record<string, ErrorEntry>;
