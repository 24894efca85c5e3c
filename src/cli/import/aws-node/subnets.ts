/** The answer of `aws ec2 describe-subnets`: which subnets there are, in which zones. */
import { type Account, below, membersOf, type Setting } from '../../../import/account.ts';
import type { AwsPlan } from './plan.ts';
import { textIn } from '../../../import/values.ts';

/** A subnet that Pods may use, or another cluster's. */
export interface AwsSubnet {
  readonly id: string;
  readonly zone: string;
  /** It has the tag by which the plugin finds subnets. */
  readonly isTagged: boolean;
  /** The value of the tag that says it is this cluster's. */
  readonly own?: string;
  /** By its tags it is other clusters' alone: the plugin leaves it out. */
  readonly isOthers?: boolean;
}

/** By this tag the plugin finds subnets, and is kept from those where it is 0. */
export const TAG = 'kubernetes.io/role/cni';

/** Before a cluster's name: a subnet that has some of them is for those clusters alone. */
export const CLUSTER_TAG = 'cni.networking.k8s.aws/cluster/';

/** Those in the answer that the plugin would use, as PodSubnets will, and those that it leaves to other clusters. */
export function readSubnets(answer: Setting, { discovers, cluster }: AwsPlan, account: Account): AwsSubnet[] {
  return membersOf(account, below(answer, 'Subnets')).flatMap((subnet) => {
    const [id, zone] = [textIn(account, below(subnet, 'SubnetId')), textIn(account, below(subnet, 'AvailabilityZone'))];
    if (id === undefined || zone === undefined) {
      account.wrong(subnet, 'has no SubnetId or no AvailabilityZone', 'give what aws ec2 describe-subnets --output json prints');
      return [];
    }
    const setting = { ...below(subnet, 'SubnetId'), name: 'SubnetId' };
    const tags = tagsOf(subnet);
    const tag = tags.get(TAG);
    if (tag === '0') {
      account.equal(setting, `no PodSubnet: its tag ${TAG} is 0`);
      return [];
    }
    const found = { id, zone, isTagged: tag === '1', ...(discovers === true && ofCluster(tags, cluster)) };
    // Without the first tag the plugin looks at no other one: it uses the node's own subnet.
    if (found.isOthers === true && tag !== undefined) {
      account.equal(setting, `no PodSubnet: by its tags ${CLUSTER_TAG}… it is for other clusters than ${cluster}`);
      return [found];
    }
    account.taken(setting, discovers ? 'PodSubnet pods spec.cloudSubnets' : `PodSubnet ${id} spec.cloudSubnet, for nodes of zone ${zone}`);
    return [{ ...found, isOthers: false }];
  });
}

/** Nothing where the plugin does not know its cluster's name: it asks for none then. */
function ofCluster(tags: ReadonlyMap<unknown, unknown>, cluster: string | undefined): Pick<AwsSubnet, 'own' | 'isOthers'> {
  if (cluster === undefined) return {};
  const own = tags.get(`${CLUSTER_TAG}${cluster}`);
  if (typeof own === 'string') return { own };
  return { isOthers: [...tags.keys()].some((key) => typeof key === 'string' && key.startsWith(CLUSTER_TAG)) };
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
