/** Every action that the front knows. */
import type { Action } from './action.ts';
import { addressActions } from './addresses.ts';
import { attachingActions } from './attaching.ts';
import { creatingActions } from './creating.ts';
import { groupActions } from './groups.ts';
import { instanceActions } from './instances.ts';
import { instanceTypeActions } from './instance-types.ts';
import { interfaceActions } from './interfaces.ts';
import { launchingActions } from './launching.ts';
import { placeActions } from './places.ts';
import { taggingActions } from './tagging.ts';
import { trunkActions } from './trunks.ts';

/** By name. */
export const actions: ReadonlyMap<string, Action> = new Map(
  [
    ...interfaceActions,
    ...creatingActions,
    ...attachingActions,
    ...addressActions,
    ...trunkActions,
    ...instanceActions,
    ...launchingActions,
    ...instanceTypeActions,
    ...placeActions,
    ...groupActions,
    ...taggingActions,
  ].map((action) => [action.name, action]),
);
