/** Every call that works on the VPC's state. */
import { attachmentCalls } from './attachments.ts';
import type { Call } from './call.ts';
import { groupCalls } from './groups.ts';
import { instanceCalls } from './instances.ts';
import { networkCalls } from './network.ts';
import { nicCalls } from './nics.ts';
import { publicCalls } from './publics.ts';
import { tagCalls } from './tags.ts';

/** In no order; names are unique. */
export const calls: readonly Call[] = [
  ...networkCalls,
  ...instanceCalls,
  ...nicCalls,
  ...attachmentCalls,
  ...groupCalls,
  ...publicCalls,
  ...tagCalls,
];
