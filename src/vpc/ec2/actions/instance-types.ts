/** Instance types: what they allow, asked and never shipped. */
import type { InstanceType } from '../../model/objects.ts';
import { type Fields as Filterable, filtered, filtersOf } from '../filters.ts';
import { paged, pageIn } from '../pages.ts';
import { Refused } from '../refused.ts';
import { type Action, type Fields, tells } from './action.ts';

/** The action of this file. */
export const instanceTypeActions: readonly Action[] = [
  tells('DescribeInstanceTypes', 'ListInstanceTypes', (parameters) => {
    const names = parameters.texts('InstanceType');
    const filters = filtersOf(parameters);
    const page = pageIn(parameters, names, 100);
    if (names.length > 100) throw new Refused('InvalidParameterValue', 'At most 100 instance types may be named');
    return (state) => {
      const unknown = names.filter((name) => !state.type.has(name));
      if (unknown.length > 0)
        throw new Refused('InvalidInstanceType', `The following supplied instance types do not exist: [${unknown.join(', ')}]`);
      const all = [...state.type.values()].filter(({ id }) => names.length === 0 || names.includes(id));
      const { items, nextToken } = paged(filtered(all, filters, typeFields), page, filters);
      return { instanceTypeSet: items.map(shown), nextToken };
    };
  }),
];

const typeFields: Filterable<InstanceType> = {
  'instance-type': ({ id }) => id,
  'current-generation': () => 'true',
  hypervisor: () => 'nitro',
  'network-info.maximum-network-interfaces': ({ limits }) => String(limits.nics),
  'network-info.ipv4-addresses-per-interface': ({ limits }) => String(limits.addressSlotsPerNic),
  'network-info.ipv6-addresses-per-interface': ({ limits }) => String(limits.ipv6SlotsPerNic),
  'network-info.ipv6-supported': ({ limits }) => String(limits.ipv6SlotsPerNic > 0),
};

/** EC2 tells no number of branches: whoever needs it must know it from elsewhere. */
function shown({ id, limits }: InstanceType): Fields {
  return {
    instanceType: id,
    currentGeneration: true,
    hypervisor: 'nitro',
    bareMetal: false,
    networkInfo: {
      networkPerformance: 'Up to 10 Gigabit',
      maximumNetworkInterfaces: limits.nics,
      maximumNetworkCards: 1,
      defaultNetworkCardIndex: 0,
      networkCards: [{ networkCardIndex: 0, networkPerformance: 'Up to 10 Gigabit', maximumNetworkInterfaces: limits.nics }],
      ipv4AddressesPerInterface: limits.addressSlotsPerNic,
      ipv6AddressesPerInterface: limits.ipv6SlotsPerNic,
      ipv6Supported: limits.ipv6SlotsPerNic > 0,
      enaSupport: 'required',
      efaSupported: false,
    },
  };
}
