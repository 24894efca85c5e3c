/**
 * Every error that Flatpod reports, one entry each, by area. Codes are stable: never renumber, never reuse.
 * `cni` is the code on the CNI wire: the specification's where it has one (1–11, 50, 51), else our own again.
 */
import { agentErrors } from './areas/agent.ts';
import { cloudErrors } from './areas/cloud.ts';
import { configErrors } from './areas/config.ts';
import { kernelErrors } from './areas/kernel.ts';
import { poolErrors } from './areas/pool.ts';
import { requestErrors } from './areas/request.ts';
import { storeErrors } from './areas/store.ts';
import { vpcErrors } from './areas/vpc.ts';
import type { ErrorEntry } from './entry.ts';

export const catalogue = {
  ...requestErrors,
  ...agentErrors,
  ...poolErrors,
  ...kernelErrors,
  ...storeErrors,
  ...cloudErrors,
  ...vpcErrors,
  ...configErrors,
  internal: {
    code: 999,
    cni: 999,
    message: 'Flatpod made a mistake: {what}',
    details: '',
    hint: 'this is a defect; the agent log has the stack: please report both',
  },
} as const satisfies Record<string, ErrorEntry>;

/** The name of an entry. */
export type ErrorName = keyof typeof catalogue;
