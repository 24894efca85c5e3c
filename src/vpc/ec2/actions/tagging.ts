/** CreateTags and DeleteTags, for any objects. */
import type { State } from '../../model/objects.ts';
import type { Transaction } from '../../model/model.ts';
import { groupIn, instanceIdOf, instanceIn, nicIdOf, subnetIn, checkVpc } from '../ids.ts';
import { Refused } from '../refused.ts';
import { type Action, changes, done, ownCall, type Setting } from './action.ts';
import { knownNic } from './interfaces.ts';
import { tagsIn } from './tag-sets.ts';

const codes = { LimitExceeded: 'TagLimitExceeded' } as const;
const MOST_RESOURCES = 1000;

/** The actions of this file. */
export const taggingActions: readonly Action[] = [
  changes(
    'CreateTags',
    'ChangeTags',
    (parameters) => {
      const ids = resources(parameters.texts('ResourceId'));
      const set = tagsIn(parameters.items('Tag'));
      if (Object.keys(set).length === 0) throw new Refused('MissingParameter', 'The request must contain the parameter Tag');
      return (transaction, setting) => {
        for (const id of ids) ownCall('ChangeTags', transaction, objectOf(transaction.state, id, setting), { set });
        return done;
      };
    },
    codes,
  ),
  changes(
    'DeleteTags',
    'ChangeTags',
    (parameters) => {
      const ids = resources(parameters.texts('ResourceId'));
      const tags = parameters.items('Tag').map((one) => ({ key: one.needed('Key'), value: one.text('Value') }));
      return (transaction, setting) => {
        for (const id of ids) {
          const object = objectOf(transaction.state, id, setting);
          const has = tagsOf(transaction, object);
          const remove =
            tags.length === 0
              ? Object.keys(has)
              : tags.filter(({ key, value }) => value === undefined || has[key] === value).map(({ key }) => key);
          ownCall('ChangeTags', transaction, object, { remove: remove.slice(0, 50) });
        }
        return done;
      };
    },
    codes,
  ),
];

function resources(ids: readonly string[]): readonly string[] {
  if (ids.length === 0) throw new Refused('MissingParameter', 'The request must contain the parameter ResourceId');
  if (ids.length > MOST_RESOURCES) throw new Refused('InvalidParameterValue', `At most ${MOST_RESOURCES} resources may be tagged at once`);
  return ids;
}

function tagsOf({ state }: Transaction, id: string): Readonly<Record<string, string>> {
  const { nic, instance, subnet, group, network } = state;
  return [nic, instance, subnet, group, network].find((kind) => kind.has(id))?.get(id)?.tags ?? {};
}

/** The model's id of a resource that there is. @throws Refused with the code of its kind. */
function objectOf(state: State, id: string, setting: Setting): string {
  const [prefix] = id.split('-');
  switch (prefix) {
    case 'eni':
      return knownNic(state, nicIdOf(id), setting).id;
    case 'i':
      return instanceIn(state, instanceIdOf(id)).id;
    case 'subnet':
      return subnetIn(state, id).id;
    case 'sg':
      return groupIn(state, id).id;
    case 'vpc':
      checkVpc(state, id);
      return id;
    default:
      throw new Refused('InvalidID', `The ID '${id}' is not valid`);
  }
}
