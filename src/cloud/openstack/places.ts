/** Subnets, and the network that is reached without SNAT. */
import { aggregate, cidrFamily } from '../../net/cidr.ts';
import type { CloudNetwork, CloudSubnet, SubnetId } from '../cloud.ts';
import { understood } from '../wire/asked.ts';
import { count, id as idOf, list, object, type Read } from '../wire/shape.ts';
import { askedIn, type Context } from './context.ts';
import type { Condition } from './neutron.ts';
import { refusalOf } from './refusals.ts';
import { freeIn } from './room.ts';
import type { Task } from './session.ts';
import { networkOf, partsOf, type Subnet, subnetFor, subnetOf } from './subnet.ts';

/** All subnets of this project's networks and of shared ones, but for what is outside of routers. See Cloud.network. */
export async function projectNetwork(context: Context, project: string, task: Task): Promise<CloudNetwork> {
  const networks = await context.neutron.list('networks', [], networkOf, task);
  const inside = new Set(networks.filter((one) => !one.isExternal && (one.isShared || one.project === project)).map((one) => one.id));
  const subnets = await context.neutron.list('subnets', [], subnetOf, task);
  return { cidrs: aggregate(subnets.filter((one) => inside.has(one.network)).map(({ cidr }) => cidr)) };
}

/** See Cloud.subnets. */
export async function cloudSubnets(ids: readonly SubnetId[], context: Context, task: Task): Promise<CloudSubnet[]> {
  const parts = [...new Set(ids.flatMap(partsOf))];
  if (parts.length === 0) return [];
  const found = await context.neutron.list('subnets', [], subnetOf, task, { key: 'id', values: parts });
  const free = await freeOf(found, context, task);
  return ids.flatMap((id): CloudSubnet[] => {
    const these = partsOf(id).flatMap((part) => found.find((one) => one.id === part) ?? []);
    const [four, six] = [subnetFor(these, 4), subnetFor(these, 6)];
    if (these.length !== partsOf(id).length || new Set(these.map((one) => one.network)).size !== 1) return [];
    return [
      {
        id,
        ...(four !== undefined && { cidr4: four.cidr }),
        ...(six !== undefined && { cidr6: six.cidr }),
        ...(four?.gateway !== undefined && { gateway4: four.gateway }),
        ...(six?.gateway !== undefined && { gateway6: six.gateway }),
        free4: four === undefined ? 0 : (free.get(four.id) ?? 0),
      },
    ];
  });
}

/** By Neutron's own count, which administrators may read (GET /network-ip-availabilities); for others by the ports that they see. */
async function freeOf(subnets: readonly Subnet[], context: Context, task: Task): Promise<Map<SubnetId, number>> {
  const four = subnets.filter(({ cidr }) => cidrFamily(cidr) === 4);
  const counted = await availabilities([...new Set(four.map((one) => one.network))], context, task);
  return new Map(
    await Promise.all(
      four.map(async (subnet): Promise<[SubnetId, number]> => {
        const known = counted.get(subnet.id);
        return [subnet.id, known ?? freeIn(subnet, await context.neutron.ports({ subnet: subnet.id, network: subnet.network }, task))];
      }),
    ),
  );
}

async function availabilities(networks: readonly string[], { neutron }: Context, task: Task): Promise<Map<SubnetId, number>> {
  const query = new URLSearchParams(
    networks.map((one): Condition => ['network_id', one]).map(([key, value]): [string, string] => [key, value]),
  );
  const answer = await neutron.ask({ method: 'GET', path: `/network-ip-availabilities?${query.toString()}` }, task);
  if ([403, 404].includes(answer.status)) return new Map();
  if (answer.status !== 200) throw refusalOf(answer);
  const read = list(availabilityOf);
  const all = understood(answer.body, (body, at) => read(object(body, at)['network_ip_availabilities'], at), askedIn(task));
  return new Map(all.flat());
}

const availabilityOf: Read<[SubnetId, number][]> = (value, at) =>
  list((one, where): [SubnetId, number] => {
    const from = object(one, where);
    const [used, total] = [count(from['used_ips'], `${where}.used_ips`), totalOf(from['total_ips'], `${where}.total_ips`)];
    return [idOf<SubnetId>(from['subnet_id'], `${where}.subnet_id`), Math.max(0, total - used)];
  })(object(value, at)['subnet_ip_availability'], `${at}.subnet_ip_availability`);

/** Of an IPv6 subnet it is more than a number holds exactly. */
const totalOf: Read<number> = (value, at) =>
  typeof value === 'number' && value > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : count(value, at);
