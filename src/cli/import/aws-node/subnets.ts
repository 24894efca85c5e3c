/** The answer of `aws ec2 describe-subnets`: which subnets there are, in which zones. */
import { type Account, below, membersOf, type Setting } from '../../../import/account.ts';
import type { AwsPlan } from './plan.ts';
import { textIn } from '../../../import/values.ts';

/** A subnet that Pods may use. */
export interface AwsSubnet {
  readonly id: string;
  readonly zone: string;
  /** It has the tag by which the plugin finds subnets. */
  readonly isTagged: boolean;
}

/** By this tag the plugin finds subnets, and is kept from those where it is 0. */
export const TAG = 'kubernetes.io/role/cni';

/** Those in the answer that the plugin would use, as PodSubnets will. */
export function readSubnets(answer: Setting, { discovers }: AwsPlan, account: Account): AwsSubnet[] {
  return membersOf(account, below(answer, 'Subnets')).flatMap((subnet) => {
    const [id, zone] = [textIn(account, below(subnet, 'SubnetId')), textIn(account, below(subnet, 'AvailabilityZone'))];
    if (id === undefined || zone === undefined) {
      account.wrong(subnet, 'has no SubnetId or no AvailabilityZone', 'give what aws ec2 describe-subnets --output json prints');
      return [];
    }
    const setting = { ...below(subnet, 'SubnetId'), name: 'SubnetId' };
    const tag = tagsOf(subnet).get(TAG);
    if (tag === '0') {
      account.equal(setting, `no PodSubnet: its tag ${TAG} is 0`);
      return [];
    }
    account.taken(setting, discovers ? 'PodSubnet pods spec.cloudSubnets' : `PodSubnet ${id} spec.cloudSubnet, for nodes of zone ${zone}`);
    return [{ id, zone, isTagged: tag === '1' }];
  });
}

function tagsOf(subnet: Setting): ReadonlyMap<unknown, unknown> {
  const { value } = below(subnet, 'Tags');
  if (!Array.isArray(value)) return new Map();
  return new Map(value.map((tag: unknown) => [fieldOf(tag, 'Key'), fieldOf(tag, 'Value')]));
}

function fieldOf(tag: unknown, key: 'Key' | 'Value'): unknown {
  // Whatever is not there is undefined.
  return typeof tag === 'object' && tag !== null ? (tag as Record<string, unknown>)[key] : undefined;
}
