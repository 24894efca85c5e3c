/** Reads: what the VPC has. Always by filters: an id that EC2 does not know must not fail a whole list, and only filters go with pages. */
import { failure } from '../../errors/failure.ts';
import type { Ip } from '../../net/address.ts';
import type {
  CloudInstance,
  CloudNetwork,
  CloudNic,
  CloudSubnet,
  InstanceId,
  InstanceLimits,
  NicFilter,
  SubnetId,
  Tags,
} from '../cloud.ts';
import { sayTags } from '../named.ts';
import { selects, severalOf } from '../selected.ts';
import { type Association, type Ec2Nic, instanceOf, limitsOf, networkOf, nicOf, pageOf, subnetOf } from './answers.ts';
import { associationsOf } from './branches.ts';
import type { Left } from './ec2.ts';
import { items } from './fields.ts';
import { filter, mostValues, type Parameter } from './query.ts';
import { type Aws, nicsPage, ours } from './surroundings.ts';
import { object } from '../wire/shape.ts';

const usualPage = 1000;

/** The VPC of that id. */
export async function network(vpc: string, { ec2 }: Aws): Promise<CloudNetwork> {
  const call = { action: 'DescribeVpcs', parameters: { VpcId: [vpc] }, object: vpc, read: pageOf('vpcSet', networkOf) };
  const { items: found } = await ec2.done(call, ec2.deadline());
  const [one] = found;
  if (one === undefined) throw ours('garbled', call.action, vpc, 'the answer lacks the VPC');
  return one;
}

/** Subnets by id. */
export async function subnets(ids: readonly SubnetId[], gateway6: Ip, { ec2, hasIpv6 }: Aws, left?: Left): Promise<CloudSubnet[]> {
  const found = await inLots(ids, (some) => {
    const parameters = { Filter: [filter('subnet-id', some)] };
    const call = { action: 'DescribeSubnets', parameters, object: some.join(', '), read: pageOf('subnetSet', subnetOf(gateway6)) };
    return ec2.list(call, usualPage, left);
  });
  for (const { id, cidr6 } of found) hasIpv6.set(id, cidr6 !== undefined);
  return among(ids, found);
}

/** The VPC's subnets that have all these tags. */
export async function taggedSubnets(tags: Tags, vpc: () => Promise<string>, gateway6: Ip, { ec2, hasIpv6 }: Aws): Promise<CloudSubnet[]> {
  const all = Object.entries(tags);
  if (all.length === 0) return [];
  const filters = all.map(([key, value]) => filter(`tag:${key}`, [value]));
  const parameters = { Filter: [filter('vpc-id', [await vpc()]), ...filters] };
  const call = { action: 'DescribeSubnets', parameters, object: sayTags(tags), read: pageOf('subnetSet', subnetOf(gateway6)) };
  const found = await ec2.list(call, usualPage);
  for (const { id, cidr6 } of found) hasIpv6.set(id, cidr6 !== undefined);
  return [...new Map(found.map((one) => [one.id, one])).values()];
}

/** The limits of types, each asked for once: they do not change. */
export type Limits = Map<string, InstanceLimits>;

/** Instances by id; those that EC2 does not know are left out. */
export async function instances(ids: readonly InstanceId[], limits: Limits, aws: Aws): Promise<CloudInstance[]> {
  const { ec2, branches } = aws;
  const found = await inLots(ids, async (some) => {
    const parameters = { Filter: [filter('instance-id', some)] };
    const read = pageOf('reservationSet', (value, at) => items(instanceOf)(object(value, at)['instancesSet'], `${at}.instancesSet`));
    return (await ec2.list({ action: 'DescribeInstances', parameters, object: some.join(', '), read }, usualPage)).flat();
  });
  const theirs = among(ids, found);
  await learnLimits(new Set(theirs.map(({ type }) => type)), limits, aws);
  return theirs.map((one) => {
    const known = limits.get(one.type);
    if (known === undefined) throw ours('garbled', 'DescribeInstanceTypes', one.type, `the answer lacks ${one.type}`);
    return { ...one, limits: { ...known, ...(branches[one.type] !== undefined && { branches: branches[one.type] }) } };
  });
}

async function learnLimits(types: ReadonlySet<string>, limits: Limits, { ec2 }: Aws): Promise<void> {
  const unknown = [...types].filter((type) => !limits.has(type));
  await inLots(
    unknown,
    async (some) => {
      const call = {
        action: 'DescribeInstanceTypes',
        parameters: { InstanceType: some },
        object: some.join(', '),
        read: pageOf('instanceTypeSet', limitsOf),
      };
      for (const { type, limits: its } of (await ec2.done(call, ec2.deadline())).items) limits.set(type, its);
      return [];
    },
    100,
  );
}

/** Interfaces; one on another card than the first is not the instance's by these filters, for its device indexes are others. */
export async function nics(condition: NicFilter, mtu: number, aws: Aws): Promise<CloudNic[]> {
  const conditions = conditionsOf(condition);
  if (condition.ids?.length === 0) return [];
  if (conditions.length === 0) {
    throw failure('cloudInvalid', { cloud: 'aws', call: 'DescribeNetworkInterfaces', text: 'a filter without conditions' });
  }
  const listed = (await Promise.all(requests(conditions).map((one) => list(one, aws)))).flat();
  const found = [...new Map(listed.map((one) => [one.nic.id, one])).values()];
  const isAsked = selects(condition);
  // Filters look at no other field than those that are there.
  const shown = found.filter(({ nic, card }) => isAsked(nic as CloudNic) && (condition.instance === undefined || card === 0));
  const associations = shown.some(({ isBranch }) => isBranch) ? await associationsOf(aws.ec2) : [];
  return shown.map((one) => told(one, associations, mtu, aws));
}

/** What EC2 said of an interface, as we tell it. Of another program's interface no block is told: what lies there is not ours to give. */
export function told(
  { nic, attachedAt_ms, lacksMark, whose }: Ec2Nic,
  associations: readonly Association[],
  mtu: number,
  { known }: Aws,
): CloudNic {
  const branch = associations.find(({ branch: id }) => id === nic.id);
  const createdAt_ms = known.since_ms(nic.id, attachedAt_ms);
  const whole = { ...nic, mtu, createdAt_ms, ...(branch !== undefined && { branch: { trunk: branch.trunk, vlan: branch.vlan } }) };
  known.note(whole, whose, lacksMark);
  return whose === undefined ? whole : { ...whole, blocks: [], whose };
}

function list(conditions: readonly Condition[], { ec2 }: Aws): Promise<Ec2Nic[]> {
  const parameters = { Filter: conditions.map(([name, values]): Parameter => filter(name, values)) };
  const about = conditions.map(([name, values]) => `${name} ${values.join(' or ')}`).join(', ');
  return ec2.list({ action: 'DescribeNetworkInterfaces', parameters, object: about, read: pageOf('networkInterfaceSet', nicOf) }, nicsPage);
}

type Condition = readonly [name: string, values: readonly string[]];

function conditionsOf({ ids, instance, tags }: NicFilter): Condition[] {
  const all: Condition[] = [
    ['network-interface-id', ids ?? []],
    ['attachment.instance-id', severalOf(instance)],
    ...Object.entries(tags ?? {}).map(([key, values]): Condition => [`tag:${key}`, severalOf(values)]),
  ];
  return all.filter(([, values]) => values.length > 0);
}

/** A filter takes so many values: more of them are asked for in several lists. */
function requests(conditions: readonly Condition[]): Condition[][] {
  const [first, ...others] = conditions;
  if (first === undefined) return [[]];
  const [name, values] = first;
  return lots(values, mostValues).flatMap((some) => requests(others).map((rest) => [[name, some] as const, ...rest]));
}

function lots<T>(all: readonly T[], most: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / most) }, (_, i) => all.slice(i * most, (i + 1) * most));
}

async function inLots<K, T>(all: readonly K[], ask: (some: K[]) => Promise<T[]>, most: number = mostValues): Promise<T[]> {
  const found: T[] = [];
  for (const some of lots(all, most)) found.push(...(await ask(some)));
  return found;
}

/** Those that were asked for, each once. */
function among<T extends { readonly id: string }>(ids: readonly string[], found: readonly T[]): T[] {
  const asked = new Set(ids);
  return [...new Map(found.filter(({ id }) => asked.has(id)).map((one) => [one.id, one])).values()];
}
