/**
 * Blocks that are counted, but only within some of a subnet: EC2 chooses anywhere, so they are chosen here and asked for by value.
 *
 * Invariants
 * - what EC2 refuses of a choice is not chosen again by the same call: its list of who has what may be older than that
 * - what this process asked for a moment ago no other call chooses, as long as there is enough beside it
 */
import { failure, isFailure } from '../../errors/failure.ts';
import { addressAt, type Cidr, containsCidr, hostCidr, lastOf, sizeOf } from '../../net/cidr.ts';
import type { NicId, SubnetId, Wanted } from '../cloud.ts';
import { usualGateway6 } from './answers.ts';
import { assignLots } from './assign.ts';
import type { Left } from './ec2.ts';
import { freeBlocks } from './free-blocks.ts';
import { subnets } from './read.ts';
import { type Aws, look, lookAt, notOthers, ours } from './surroundings.ts';
import { lotsOf } from './wanted.ts';

const ACTION = 'AssignPrivateIpAddresses';
const MOST_ATTEMPTS = 4;

/** See Cloud.assign, for a want that says where. @throws Failure cloud* */
export async function assignWithin(nic: NicId, want: Wanted & { within: readonly Cidr[] }, aws: Aws, left: Left): Promise<Cidr[]> {
  const { these = [], prefixes6 = 0 } = want;
  notOthers(ACTION, nic, aws);
  const subnet = aws.known.facts(nic)?.subnet ?? (await lookAt(nic, ACTION, aws, left)).nic.subnet;
  const refused: Cidr[] = [];
  for (let attempt = 1; ; attempt++) {
    const { blocks: chosen, over } = await choose(subnet, want, [...these, ...refused], aws, left);
    try {
      return await assignLots(nic, lotsOf({ these: [...these, ...chosen], prefixes6 }, ACTION), aws, left);
    } catch (error) {
      const mayBeOlder = isFailure(error, 'cloudAddressTaken') || isFailure(error, 'cloudInvalid');
      if (!mayBeOlder || chosen.length === 0 || attempt === MOST_ATTEMPTS) throw error;
      refused.push(...chosen);
    } finally {
      over();
    }
  }
}

/** What is asked for now, and what is to be called when that is over. */
interface Chosen {
  readonly blocks: readonly Cidr[];
  readonly over: () => void;
}

async function choose(
  subnet: SubnetId,
  want: Wanted & { within: readonly Cidr[] },
  not: readonly Cidr[],
  aws: Aws,
  left: Left,
): Promise<Chosen> {
  const { addresses4 = 0, prefixes4 = 0, within } = want;
  if (addresses4 + prefixes4 === 0) return { blocks: [], over: () => undefined };
  const [found] = await subnets([subnet], usualGateway6, aws, left);
  if (found?.cidr4 === undefined) throw ours('invalid', ACTION, subnet, 'the subnet has no IPv4');
  const cidr = found.cidr4;
  const nics = await look('subnet-id', [subnet], aws.ec2, left);
  const held = nics.flatMap(({ nic }) => [...nic.blocks, ...(nic.primary4 === undefined ? [] : [hostCidr(nic.primary4)])]);
  const taken = [...held, ...not, ...keptOf(cidr)];
  const own = within.filter((block) => containsCidr(cidr, block));
  // Until they are noted nothing else runs.
  const most = freeOf(want, own, [...taken, ...aws.asked.lately(subnet)]);
  const free = isEnough(want, most) ? most : freeOf(want, own, [...taken, ...aws.asked.now(subnet)]);
  if (!isEnough(want, free)) {
    const { prefixes, addresses } = free;
    const all = own.reduce((sum, block) => sum + Number(sizeOf(block)), 0);
    const text = `${prefixes.length} of ${prefixes4} /28 prefixes and ${addresses.length} of ${addresses4} addresses are free among the ${all} within ${within.join(', ')}`;
    throw failure('cloudSubnetFull', { subnet, wanted: `${addresses4} addresses and ${prefixes4} /28 prefixes`, text });
  }
  const blocks = [...free.prefixes, ...free.addresses];
  return { blocks, over: aws.asked.ask(subnet, blocks) };
}

interface Free {
  readonly prefixes: readonly Cidr[];
  readonly addresses: readonly Cidr[];
}

function freeOf({ addresses4 = 0, prefixes4 = 0 }: Wanted, own: readonly Cidr[], taken: readonly Cidr[]): Free {
  const prefixes = freeBlocks(own, 28, prefixes4, taken);
  return { prefixes, addresses: freeBlocks(own, 32, addresses4, [...taken, ...prefixes]) };
}

function isEnough({ addresses4 = 0, prefixes4 = 0 }: Wanted, { prefixes, addresses }: Free): boolean {
  return prefixes.length >= prefixes4 && addresses.length >= addresses4;
}

/** The first four addresses and the last are EC2's (VPC User Guide, subnet sizing for IPv4). */
function keptOf(cidr: Cidr): Cidr[] {
  return [...[0, 1, 2, 3].map((offset) => addressAt(cidr, offset)), lastOf(cidr)].map(hostCidr);
}
