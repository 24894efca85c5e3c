/** Launching, describing and terminating instances. An instance is a namespace `<vpc>-<its id>`. */
import { networkOf } from '../../model/find.ts';
import type { Instance, State } from '../../model/objects.ts';
import { type Fields as Filterable, filtered, filtersOf } from '../filters.ts';
import { instanceIdOf, instanceIn } from '../ids.ts';
import { attachmentOf, loseMark } from '../notes.ts';
import { paged, pageIn } from '../pages.ts';
import { Refused } from '../refused.ts';
import { type Action, changes, ownCall, type Setting, tells } from './action.ts';
import { nicsOf, privateDnsName, reservationOf, shownInstance, stateSets } from './instance-shown.ts';

/** The actions of this file. */
export const instanceActions: readonly Action[] = [
  tells('DescribeInstances', 'ListInstances', (parameters) => {
    const ids = parameters.texts('InstanceId').map(instanceIdOf);
    const filters = filtersOf(parameters);
    const page = pageIn(parameters, ids);
    parameters.flag('IncludeManagedResources');
    return (state, setting) => {
      const all =
        ids.length > 0 ? ids.map((id) => instanceIn(state, id)) : [...state.instance.values()].filter(({ kind }) => kind === 'vm');
      const { items, nextToken } = paged(filtered([...new Set(all)], filters, instanceFields(state, setting)), page, filters);
      const reservations = Map.groupBy(items, (one) => reservationOf(state, one));
      return {
        reservationSet: [...reservations].map(([reservationId, members]) => ({
          reservationId,
          ownerId: setting.account,
          groupSet: [],
          instancesSet: members.map((one) => shownInstance(state, one, setting)),
        })),
        nextToken,
      };
    };
  }),
  changes('TerminateInstances', 'TerminateInstance', (parameters) => {
    const ids = [...new Set(parameters.texts('InstanceId').map(instanceIdOf))];
    if (ids.length === 0) throw new Refused('MissingParameter', 'The request must contain the parameter InstanceId');
    parameters.flag('Force');
    parameters.flag('SkipOsShutdown');
    return (transaction) => {
      const before = ids.map((id) => instanceIn(transaction.state, id));
      for (const instance of before) {
        const attached = nicsOf(transaction.state, instance);
        const going = attached.filter((nic) => attachmentOf(transaction.state, nic)?.deleteOnTermination === true);
        ownCall('TerminateInstance', transaction, instance.id);
        for (const { id } of going) {
          if (transaction.state.nic.has(id)) ownCall('DeleteNic', transaction, id);
          transaction.remove('note', `ec2 ${id}`);
        }
        for (const nic of attached) if (transaction.state.nic.has(nic.id)) loseMark(transaction, nic);
      }
      return {
        instancesSet: before.map(({ id, state }) => ({
          instanceId: id,
          currentState: stateSets.terminated,
          previousState: stateSets[state],
        })),
      };
    };
  }),
];

function instanceFields(state: State, { region, account }: Setting): Filterable<Instance> {
  const nics = (instance: Instance) => nicsOf(state, instance);
  return {
    'instance-id': ({ id }) => id,
    'instance-state-name': (one) => stateSets[one.state].name,
    'instance-state-code': (one) => String(stateSets[one.state].code),
    'instance-type': ({ type }) => type,
    'availability-zone': ({ zone }) => zone,
    'reservation-id': (one) => reservationOf(state, one),
    'owner-id': () => account,
    'vpc-id': () => networkOf(state).id,
    'subnet-id': (one) => nics(one)[0]?.subnet,
    'private-ip-address': (one) => nics(one)[0]?.primary4,
    'private-dns-name': (one) => privateDnsName(nics(one)[0], region),
    'network-interface.network-interface-id': (one) => nics(one).map(({ id }) => id.replace(/^nic-/, 'eni-')),
    'network-interface.mac-address': (one) => nics(one).map(({ mac }) => mac),
  };
}
