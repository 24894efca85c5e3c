/** What hostnic's settings come to, before there are documents. */
import type { Cidr } from '../../net/cidr.ts';
import type { Setting } from '../account.ts';

/** What a namespace has: names of blocks, or of vxnets. */
export interface BlocksOf {
  readonly setting: Setting;
  readonly names: readonly string[];
}

/** Filled in by the readers of its files. What is absent stays at Flatpod's default. */
export interface HostnicPlan {
  /** Parts of the NodeConfig. */
  serviceCidrs: Cidr[];
  log?: string;
  /** Parts of the ControllerConfig. */
  cluster?: string;
  zone?: string;
  nicsPerInstance?: number;
  mtu?: number;
  /** Id of a tag. */
  tag?: string;
  /** Id of the group that the nodes' instances have. */
  securityGroup?: string;
  /** Each Pod has an interface of the cloud for itself. */
  isPassthrough: boolean;
  /** v-pool was given, so that whatever it does not name is not in it. */
  isPoolGiven?: boolean;
  /** vxnets of hostnic.json and of v-pool. */
  readonly vxnets: Set<string>;
  /** From hostnic-ipam-config, by namespace; absent: it was not given. */
  ipam?: ReadonlyMap<string, BlocksOf>;
  autoAssign?: boolean;
  /** They are served as they are, so that a namespace can have a block as soon as it asks for one. */
  readonly isServed: boolean;
}
