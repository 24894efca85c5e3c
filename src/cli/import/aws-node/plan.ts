/** What the variables of the DaemonSet aws-node come to, before there are documents. */
import type { Cidr } from '../../../net/cidr.ts';
import type { Account, Setting } from '../../../import/account.ts';

/** Filled in by the readers of the variables. What is absent stays at Flatpod's default. */
export interface AwsPlan {
  /** Parts of the PodSubnets. */
  readonly warm: { spare?: number; minimum?: number; spareNics?: number };
  unit?: 'prefix';
  families: (4 | 6)[];
  /** Interfaces of a node, its first among them. */
  interfaces?: number;
  /** Subnets are found by their tag, the emptiest first. */
  discovers?: true;
  /** Pods that SecurityGroupPolicies select have interfaces of their own: the variable that says so. */
  podEni?: Setting;
  /** Parts of the NodeConfig. */
  snat: { enabled?: false; exclude?: Cidr[] };
  cooldown_s?: number;
  log?: string;
  /** Parts of the ControllerConfig. */
  cluster?: string;
  changes?: false;
  vpc?: string;
  mtu?: number;
  endpoint?: string;
  /** ENIConfigs say the subnets, by this label of the node; absent: they are not used. */
  customBy?: string;
  /** And by this annotation, which goes before the label. */
  customByAnnotation?: string;
  /** How its Pods are found by a take-over (flatpod takeover), where that is not the usual way. */
  readonly takeover: { checkpoint?: string; vethPrefix?: string };
}

/** One variable while it is read. */
export interface Variable {
  readonly setting: Setting;
  /** Its value; when it is not set the default of the plugin. */
  readonly text: string;
  readonly isSet: boolean;
  readonly plan: AwsPlan;
  readonly account: Account;
  /** The value, or the default, of another variable. */
  readonly other: (name: string) => string;
}

/** How a variable is accounted for. */
export interface VariableRule {
  /** What the plugin does without it; empty: nothing. */
  readonly default: string;
  readonly read: (variable: Variable) => void;
}

/** A variable whose default Flatpod does too: with another value there is no equal. */
export function onlyDefault(usual: string, how: string, why: string, remedy: string): VariableRule {
  return {
    default: usual,
    read({ account, setting, text }) {
      if (text.toLowerCase() === usual) account.equal(setting, how);
      else account.none(setting, why, remedy);
    },
  };
}

/** A variable that Flatpod needs not, whatever it says. */
export function needless(usual: string, how: string): VariableRule {
  return { default: usual, read: ({ account, setting }) => account.equal(setting, how) };
}

/** Yes or no, as the plugin reads it: what is neither is the default. */
export function isTrue(text: string): boolean {
  return /^(1|t|true)$/i.test(text.trim());
}
