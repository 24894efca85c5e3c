/** The VPC, its subnets and zones. There is one VPC. */
import { newId } from '../../calls/token.ts';
import { type Cidr, cidrFamily, tryParseCidr } from '../../../net/cidr.ts';
import { free4 } from '../../model/addresses.ts';
import { networkOf } from '../../model/find.ts';
import type { Network, State, Subnet } from '../../model/objects.ts';
import { type Fields as Filterable, filtered, filtersOf } from '../filters.ts';
import { checkVpc, subnetIn } from '../ids.ts';
import { factsOf, noteFacts, tidyNotes } from '../notes.ts';
import { paged, pageIn } from '../pages.ts';
import { Refused } from '../refused.ts';
import { type Action, changes, done, type Fields, madeBy, ownCall, type Setting, tells } from './action.ts';
import { tagSet, tagSpecifications } from './tag-sets.ts';

/** The actions of this file. */
export const placeActions: readonly Action[] = [
  tells('DescribeVpcs', 'GetNetwork', (parameters) => {
    const ids = parameters.texts('VpcId');
    const filters = filtersOf(parameters);
    const page = pageIn(parameters, ids);
    return (state, setting) => {
      for (const id of ids) checkVpc(state, id);
      const { items, nextToken } = paged(filtered([networkOf(state)], filters, vpcFields), page, filters);
      return { vpcSet: items.map((one) => shownVpc(one, setting)), nextToken };
    };
  }),
  tells('DescribeSubnets', 'ListSubnets', (parameters) => {
    const ids = parameters.texts('SubnetId');
    const filters = filtersOf(parameters);
    const page = pageIn(parameters, ids);
    return (state, setting) => {
      const all = ids.length === 0 ? [...state.subnet.values()] : [...new Set(ids)].map((id) => subnetIn(state, id));
      const { items, nextToken } = paged(filtered(all, filters, subnetFields(state)), page, filters);
      return { subnetSet: items.map((one) => shownSubnet(state, one, setting)), nextToken };
    };
  }),
  tells('DescribeAvailabilityZones', 'ListSubnets', (parameters) => {
    const names = parameters.texts('ZoneName');
    const filters = filtersOf(parameters);
    parameters.flag('AllAvailabilityZones');
    return (state, setting) => {
      const zones = zonesOf(state, setting);
      const unknown = names.find((name) => !zones.some(({ zoneName }) => zoneName === name));
      if (unknown !== undefined) throw new Refused('InvalidParameterValue', `Invalid availability zone: [${unknown}]`);
      const wanted = names.length === 0 ? zones : zones.filter(({ zoneName }) => names.includes(zoneName));
      return { availabilityZoneInfo: filtered(wanted, filters, zoneFields) };
    };
  }),
  changes(
    'CreateSubnet',
    'CreateSubnet',
    (parameters) => {
      const vpc = parameters.needed('VpcId');
      const zone = parameters.text('AvailabilityZone');
      const [cidr4, cidr6] = [cidrIn(parameters.text('CidrBlock'), 4), cidrIn(parameters.text('Ipv6CidrBlock'), 6)];
      if (cidr4 === undefined && cidr6 === undefined)
        throw new Refused('MissingParameter', 'The request must contain the parameter CidrBlock');
      const tags = tagSpecifications(parameters, 'subnet')['subnet'] ?? {};
      return (transaction, setting) => {
        const { state } = transaction;
        checkVpc(state, vpc);
        const zoneName = zone ?? `${setting.region}a`;
        const body = { name: newId('s'), zone: zoneName, ...(cidr4 && { cidr4 }), ...(cidr6 && { cidr6 }), tags };
        const id = madeBy(ownCall('CreateSubnet', transaction, '', body));
        tidyNotes(transaction);
        noteFacts(transaction, id, { assignIpv6: 'no' });
        return { subnet: shownSubnet(state, subnetIn(state, id), setting) };
      };
    },
    { CidrConflict: 'InvalidSubnet.Conflict' },
  ),
  changes('ModifySubnetAttribute', 'CreateSubnet', (parameters) => {
    const id = parameters.needed('SubnetId');
    const assign = parameters.part('AssignIpv6AddressOnCreation')?.flag('Value');
    if (assign === undefined) throw new Refused('MissingParameter', 'The request must contain AssignIpv6AddressOnCreation');
    return (transaction) => {
      const { id: subnet, cidr6 } = subnetIn(transaction.state, id);
      if (assign && cidr6 === undefined) throw new Refused('InvalidParameterValue', `The subnet '${id}' does not have an IPv6 CIDR block`);
      noteFacts(transaction, subnet, { assignIpv6: assign ? 'yes' : 'no' });
      return done;
    };
  }),
  changes('CreateVpc', 'UpdateNetwork', (parameters) => {
    parameters.text('CidrBlock');
    parameters.flag('AmazonProvidedIpv6CidrBlock');
    tagSpecifications(parameters, 'vpc');
    return () => {
      throw new Refused('VpcLimitExceeded', 'The maximum number of VPCs has been reached: there is one here');
    };
  }),
];

function cidrIn(text: string | undefined, family: 4 | 6): Cidr | undefined {
  if (text === undefined) return undefined;
  const cidr = tryParseCidr(text);
  if (cidr === undefined || cidrFamily(cidr) !== family)
    throw new Refused('InvalidParameterValue', `Value (${text}) is not a valid IPv${family} CIDR block.`);
  return cidr;
}

function of(cidrs: readonly Cidr[], family: 4 | 6): Cidr[] {
  return cidrs.filter((cidr) => cidrFamily(cidr) === family);
}

const vpcFields: Filterable<Network> = {
  'vpc-id': ({ id }) => id,
  cidr: ({ cidrs }) => of(cidrs, 4)[0],
  'cidr-block-association.cidr-block': ({ cidrs }) => of(cidrs, 4),
  'ipv6-cidr-block-association.ipv6-cidr-block': ({ cidrs }) => of(cidrs, 6),
  'is-default': () => 'true',
  state: () => 'available',
};

function subnetFields(state: State): Filterable<Subnet> {
  return {
    'subnet-id': ({ id }) => id,
    'vpc-id': () => networkOf(state).id,
    'availability-zone': ({ zone }) => zone,
    'cidr-block': ({ cidr4 }) => cidr4,
    'ipv6-cidr-block-association.ipv6-cidr-block': ({ cidr6 }) => cidr6,
    'available-ip-address-count': (subnet) => String(free4(state, subnet)),
    state: () => 'available',
  };
}

function shownVpc({ id, cidrs, tags }: Network, { account }: Setting): Fields {
  const tail = id.slice(-15);
  return {
    vpcId: id,
    ownerId: account,
    state: 'available',
    cidrBlock: of(cidrs, 4)[0],
    cidrBlockAssociationSet: of(cidrs, 4).map((cidrBlock, i) => ({
      cidrBlock,
      associationId: `vpc-cidr-assoc-4${i}${tail}`,
      cidrBlockState: { state: 'associated' },
    })),
    ipv6CidrBlockAssociationSet: of(cidrs, 6).map((ipv6CidrBlock, i) => ({
      ipv6CidrBlock,
      associationId: `vpc-cidr-assoc-6${i}${tail}`,
      ipv6CidrBlockState: { state: 'associated' },
    })),
    instanceTenancy: 'default',
    isDefault: true,
    tagSet: tagSet(tags),
  };
}

function shownSubnet(state: State, subnet: Subnet, { account, region }: Setting): Fields {
  const { id, zone, cidr4, cidr6, tags } = subnet;
  return {
    subnetId: id,
    subnetArn: `arn:aws:ec2:${region}:${account}:subnet/${id}`,
    state: 'available',
    vpcId: networkOf(state).id,
    ownerId: account,
    cidrBlock: cidr4,
    ipv6CidrBlockAssociationSet:
      cidr6 === undefined
        ? []
        : [{ ipv6CidrBlock: cidr6, associationId: `subnet-cidr-assoc-${id.slice(-17)}`, ipv6CidrBlockState: { state: 'associated' } }],
    availableIpAddressCount: free4(state, subnet),
    availabilityZone: zone,
    availabilityZoneId: zone,
    defaultForAz: false,
    mapPublicIpOnLaunch: false,
    assignIpv6AddressOnCreation: cidr6 !== undefined && factsOf(state, id).assignIpv6 !== 'no',
    ipv6Native: cidr4 === undefined,
    tagSet: tagSet(tags),
  };
}

interface Zone {
  readonly zoneName: string;
  readonly [field: string]: string;
}

const zoneFields: Filterable<Zone> = {
  'zone-name': ({ zoneName }) => zoneName,
  'region-name': ({ regionName }) => regionName,
  state: () => 'available',
};

/** The zones that subnets are in, and two of the region that none need be in. */
function zonesOf(state: State, { region }: Setting): Zone[] {
  const names = new Set([`${region}a`, `${region}b`, ...[...state.subnet.values()].map(({ zone }) => zone)]);
  return [...names].sort().map((zoneName) => ({
    zoneName,
    zoneState: 'available',
    regionName: region,
    zoneId: zoneName,
    groupName: region,
    networkBorderGroup: region,
    zoneType: 'availability-zone',
    optInStatus: 'opt-in-not-required',
  }));
}
