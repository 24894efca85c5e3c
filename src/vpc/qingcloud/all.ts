/** Every action that is served. */
import type { Action } from './action.ts';
import { attachActions } from './attach.ts';
import { balancerActions } from './balancers.ts';
import { groupActions } from './groups.ts';
import { instanceActions } from './instances.ts';
import { nicActions } from './nics.ts';
import { readBackActions } from './read-backs.ts';
import { routerActions } from './routers.ts';
import { tagActions } from './tags.ts';
import { vipActions } from './vips.ts';
import { vxnetActions } from './vxnets.ts';

/** In no order; names are unique. */
export const actions: readonly Action[] = [
  ...nicActions,
  ...attachActions,
  ...vipActions,
  ...vxnetActions,
  ...instanceActions,
  ...readBackActions,
  ...tagActions,
  ...groupActions,
  ...balancerActions,
  ...routerActions,
];
