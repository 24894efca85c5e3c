/** RunInstances: machines of one type in one subnet, with one interface each. */
import { newId, once } from '../../calls/token.ts';
import type { InstanceId } from '../../../cloud/cloud.ts';
import { checkSlots } from '../../model/assign.ts';
import { limitsOf } from '../../model/find.ts';
import type { Instance, Nic } from '../../model/objects.ts';
import type { Transaction } from '../../model/model.ts';
import { groupIdOf, groupIn, instanceIn, subnetIn } from '../ids.ts';
import { factsOf, noteFacts, tidyNotes } from '../notes.ts';
import type { Parameters } from '../parameters.ts';
import { notTogether, Refused } from '../refused.ts';
import { type Action, changes, madeBy, ownCall, type Setting } from './action.ts';
import { makeInterface, type Wish, wishIn } from './creating.ts';
import { nicsOf, shownInstance } from './instance-shown.ts';
import { tagSpecifications } from './tag-sets.ts';

const MOST_AT_ONCE = 100;
const codes = { LimitExceeded: 'InstanceLimitExceeded' } as const;

/** What is launched. */
interface Launch {
  readonly clientToken: string | undefined;
  readonly image: string;
  readonly type: string;
  readonly subnet: string;
  readonly groups: readonly string[];
  readonly count: number;
  readonly deleteOnTermination: boolean;
  readonly description: string;
  readonly wish: Wish;
  readonly tags: Record<string, Record<string, string>>;
}

/** The action of this file. */
export const launchingActions: readonly Action[] = [
  changes(
    'RunInstances',
    'LaunchInstance',
    (parameters) => {
      const launch = launchIn(parameters);
      return (transaction, setting) => {
        const { state } = transaction;
        tidyNotes(transaction);
        if (!state.type.has(launch.type)) throw new Refused('InvalidParameterValue', `Invalid value '${launch.type}' for InstanceType.`);
        subnetIn(state, launch.subnet);
        for (const group of launch.groups) groupIn(state, group);
        const first = once(transaction, 'RunInstances', launch, 'instance', () => launchAll(transaction, launch, setting));
        const { reservation = '' } = factsOf(state, first);
        const all = [...state.instance.values()].filter(({ id }) => factsOf(state, id).reservation === reservation);
        return {
          reservationId: reservation,
          ownerId: setting.account,
          groupSet: [],
          instancesSet: all.map((one) => shownInstance(state, one, setting)),
        };
      };
    },
    codes,
  ),
];

function launchIn(parameters: Parameters): Launch {
  const image = parameters.needed('ImageId');
  const type = parameters.text('InstanceType') ?? 'm1.small';
  parameters.needed('MinCount');
  const least = parameters.whole('MinCount', 1, MOST_AT_ONCE) ?? 1;
  const most = parameters.whole('MaxCount', least, MOST_AT_ONCE) ?? least;
  for (const told of ['KeyName', 'UserData', 'InstanceInitiatedShutdownBehavior']) parameters.text(told); // has no meaning here
  const [own, ...more] = parameters.items('NetworkInterface');
  if (more.length > 0) throw new Refused('UnsupportedOperation', 'Instances are launched with one interface here: attach the others');
  if (own !== undefined && own.whole('DeviceIndex', 0, 255) !== 0)
    throw new Refused('InvalidParameterValue', 'The first network interface must have device index 0');
  const subnet = own?.text('SubnetId') ?? parameters.text('SubnetId');
  if (own !== undefined && parameters.text('SubnetId') !== undefined)
    throw notTogether('Network interfaces and an instance-level subnet ID may not be specified on the same request');
  if (subnet === undefined || subnet === '') throw new Refused('MissingInput', 'No subnet was given, and there is no default one');
  const wish = own === undefined ? wishIn(parameters) : wishIn(own);
  return {
    clientToken: parameters.text('ClientToken'),
    image,
    type,
    subnet,
    groups: (own ?? parameters).texts('SecurityGroupId').map(groupIdOf),
    count: most,
    deleteOnTermination: own?.flag('DeleteOnTermination') ?? true,
    description: own?.text('Description') ?? '',
    wish: { ...wish, isPrimary6: wish.isPrimary6 || (own?.flag('PrimaryIpv6') ?? false) },
    tags: tagSpecifications(parameters, 'instance', 'network-interface', 'volume'),
  };
}

function launchAll(transaction: Transaction, launch: Launch, setting: Setting): InstanceId {
  const reservation = newId('r');
  const ids = Array.from({ length: launch.count }, (_, i) => launchOne(transaction, launch, setting, reservation, i));
  const [first] = ids;
  if (first === undefined) throw new Error('nothing was launched');
  return first;
}

function launchOne(transaction: Transaction, launch: Launch, setting: Setting, reservation: string, index: number): InstanceId {
  const { state } = transaction;
  const { type, subnet, groups, tags } = launch;
  const body = { name: newId('n'), type, subnet, securityGroups: groups, tags: tags['instance'] ?? {} };
  const id = madeBy(ownCall('LaunchInstance', transaction, '', body)) as InstanceId; // what that call makes
  const instance = instanceIn(state, id);
  // The namespace is found by whoever knows the id.
  transaction.put('instance', { ...instance, name: id });
  noteFacts(transaction, id, { reservation, launchIndex: String(index), image: launch.image });
  const [plain] = nicsOf(state, instance);
  if (plain?.attachment === undefined) throw new Error(`${id} has no first NIC`);
  const nic = asWished(transaction, instance, plain, launch);
  transaction.put('nic', { ...nic, tags: tags['network-interface'] ?? {}, description: launch.description, attachment: plain.attachment });
  noteFacts(transaction, nic.id, {
    attachedTo: `${id} 0`,
    attachment: newId('eni-attach'),
    attachedAt_ms: String(setting.now_ms()),
    deleteOnTermination: launch.deleteOnTermination ? 'yes' : 'no',
  });
  return id;
}

/** The first NIC made anew with the addresses of the request: launching itself gives the lowest ones. */
function asWished(transaction: Transaction, instance: Instance, plain: Nic, { wish }: Launch): Nic {
  transaction.remove('nic', plain.id);
  const { subnet, securityGroups, tags, description } = plain;
  const nic = makeInterface(transaction, { subnet, securityGroups, tags, description }, wish);
  checkSlots(nic, limitsOf(transaction.state, instance));
  return nic;
}
