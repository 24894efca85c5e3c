/** Where nobody here knows what QingCloud does, or what it is to do on purpose: to be turned while the double runs. */
import * as z from 'zod';

const ms = z.int().min(0).max(600_000);

/** The body of the call that turns them; what is absent stays. */
export const turned = z.strictObject({
  /** Whether a NIC may speak for a VIP only with `enable_aspoof`. */
  vipsNeedAspoof: z.boolean().optional(),
  /** Whether `nic_name` and `vip_name` find whole names or any that contain them. */
  nameFilter: z.enum(['exact', 'contains']).optional(),
  /** Whether an instance takes one change of its NICs at a time. */
  oneChangePerInstance: z.boolean().optional(),
  /** Whether a list for ids is refused for one that is unknown. */
  refusesUnknownIds: z.boolean().optional(),
  /** How long jobs take: at least and at most. */
  jobs_ms: z.tuple([ms, ms]).optional(),
  /** How far this server's clock is ahead, also in the header `Date`. */
  clockAhead_ms: z.int().min(-86_400_000).max(86_400_000).optional(),
  /** Actions that nobody is permitted. */
  denied: z.array(z.string().max(64)).max(100).optional(),
  /** How long a role's credentials are good for. */
  roleLifetime_ms: z.int().min(1).max(86_400_000).optional(),
  /** Access keys that are good no more. */
  revoked: z.array(z.string().max(64)).max(100).optional(),
  /** No page is longer, whatever is asked for. */
  longestPage: z.int().min(1).max(100).optional(),
});

/** The switches as they are. */
export type Switches = { readonly [K in keyof z.output<typeof turned>]-?: NonNullable<z.output<typeof turned>[K]> };

/** What they are at the start. */
export const atFirst: Switches = {
  vipsNeedAspoof: false,
  nameFilter: 'exact',
  oneChangePerInstance: false,
  refusesUnknownIds: false,
  jobs_ms: [50, 3000],
  clockAhead_ms: 0,
  denied: [],
  roleLifetime_ms: 3_600_000,
  revoked: [],
  longestPage: 100,
};
