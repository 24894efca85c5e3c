/** What QingCloud's lists say of its objects, as far as we use it. Text that is empty means that there is none. */
import { type Ip, ipToBigInt } from '../../net/address.ts';
import { type Cidr, tryParseCidr } from '../../net/cidr.ts';
import type { Mac } from '../../net/mac.ts';
import type { AddressRange } from '../../net/range.ts';
import type { InstanceId, NicId, SubnetId } from '../cloud.ts';
import { cidr, count, id, ip, list, Mismatch, mac, object, oneOf, type Read, text } from '../wire/shape.ts';
import { moment } from './moment.ts';

/** A NIC. */
export interface NicRecord {
  /** Which is its Ethernet address, as the cloud spells it. */
  readonly id: NicId;
  readonly mac: Mac;
  readonly name: string;
  readonly vxnet: SubnetId;
  /** Routers and load balancers use NICs too. */
  readonly isUsed: boolean;
  /** The instance that it is attached to. */
  readonly at?: { readonly instance: InstanceId; readonly place: number };
  readonly ip?: Ip;
  readonly createdAt_ms: number;
}

/** A reserved address. */
export interface VipRecord {
  readonly id: string;
  readonly ip: Ip;
  readonly name: string;
  readonly vxnet: SubnetId;
  /** It is listed still, and is being released: leaving.ts. */
  readonly isLeaving?: true;
}

/** A vxnet. One without a router has no addresses that we could know. */
export interface VxnetRecord {
  readonly id: SubnetId;
  readonly free: number;
  readonly router?: {
    readonly id: string;
    readonly cidr: Cidr;
    readonly gateway: Ip;
    /** What DHCP gives; absent where it is off. */
    readonly given?: AddressRange;
    readonly vpc?: Cidr;
  };
}

/** A virtual machine. */
export interface InstanceRecord {
  readonly id: InstanceId;
  readonly type: string;
  readonly status: string;
}

/** A security group. */
export interface GroupRecord {
  readonly id: string;
  /** All its rules are in force, and none else. */
  readonly isApplied: boolean;
}

/** A rule of a security group, in force or not. */
export interface RuleRecord {
  readonly id: string;
  readonly isIncoming: boolean;
  readonly isAccepting: boolean;
  /** Whatever the protocol and port. */
  readonly isEverything: boolean;
  /** Absent: something that is no block, such as a set of addresses. */
  readonly from?: Cidr;
}

/** What is under way. */
export interface JobRecord {
  readonly id: string;
  readonly status: JobStatus;
  /** The call that started it, where that is told. */
  readonly action?: string;
  /** Ids of what it changes, as far as that is told. */
  readonly resources: readonly string[];
}

/** The last three are final. */
export type JobStatus = 'pending' | 'working' | 'successful' | 'failed' | 'done with failure';

/** The field, unless it is left out, null or empty. */
function given<T>(from: Readonly<Record<string, unknown>>, key: string, read: Read<T>, at: string): T | undefined {
  const value = from[key];
  return value === undefined || value === null || value === '' ? undefined : read(value, `${at}.${key}`);
}

/** An item of `nic_set`. Those of others are among them, of which less has to be known. */
export const nicRecord: Read<NicRecord> = (value, at) => {
  const from = object(value, at);
  const nic = id<NicId>(from['nic_id'], `${at}.nic_id`);
  const [address, instance] = [given(from, 'private_ip', ip, at), given(from, 'instance_id', id<InstanceId>, at)];
  const isUsed = oneOf('available', 'in-use')(from['status'], `${at}.status`) === 'in-use';
  const name = given(from, 'nic_name', text, at) ?? '';
  const created_ms = given(from, 'create_time', moment, at);
  if (created_ms === undefined && name.startsWith('flatpod_')) throw new Mismatch(`${at}.create_time should be a moment`);
  return {
    id: nic,
    mac: mac(nic, `${at}.nic_id`),
    name,
    vxnet: id<SubnetId>(from['vxnet_id'], `${at}.vxnet_id`),
    isUsed,
    ...(isUsed && instance !== undefined && { at: { instance, place: placeOf(from, at) } }),
    ...(address && { ip: address }),
    createdAt_ms: created_ms ?? 0,
  };
};

/** The primary NIC is at 0, wherever the cloud counts from. */
function placeOf(from: Readonly<Record<string, unknown>>, at: string): number {
  const isPrimary = given(from, 'role', count, at) === 1;
  if (isPrimary) return 0;
  return Math.max(1, count(from['sequence'], `${at}.sequence`));
}

/** An item of `vip_set`. */
export const vipRecord: Read<VipRecord> = (value, at) => {
  const from = object(value, at);
  return {
    id: id<string>(from['vip_id'], `${at}.vip_id`),
    ip: ip(from['vip_addr'], `${at}.vip_addr`),
    name: given(from, 'vip_name', text, at) ?? '',
    vxnet: id<SubnetId>(from['vxnet_id'], `${at}.vxnet_id`),
  };
};

/** An item of `vxnet_set`. */
export const vxnetRecord: Read<VxnetRecord> = (value, at) => {
  const from = object(value, at);
  const router = given(from, 'router', object, at);
  const isRouted = router !== undefined && given(router, 'ip_network', text, at) !== undefined;
  return {
    id: id<SubnetId>(from['vxnet_id'], `${at}.vxnet_id`),
    free: given(from, 'available_ip_count', count, at) ?? 0,
    ...(isRouted && { router: routerOf(router, `${at}.router`) }),
  };
};

function routerOf(from: Readonly<Record<string, unknown>>, at: string): NonNullable<VxnetRecord['router']> {
  const network = cidr(from['ip_network'], `${at}.ip_network`);
  const vpc = given(from, 'vpc_network', cidr, at);
  const dynamic = givenBy(from, at);
  return {
    id: id<string>(from['router_id'], `${at}.router_id`),
    cidr: network,
    gateway: ip(from['manager_ip'], `${at}.manager_ip`),
    ...(dynamic && { given: dynamic }),
    ...(vpc && { vpc }),
  };
}

/** Both ends are empty where DHCP is off. */
function givenBy(from: Readonly<Record<string, unknown>>, at: string): AddressRange | undefined {
  const [first, last] = [given(from, 'dyn_ip_start', ip, at), given(from, 'dyn_ip_end', ip, at)];
  if (first === undefined && last === undefined) return undefined;
  if (first === undefined || last === undefined) throw new Mismatch(`${at} should have both dyn_ip_start and dyn_ip_end`);
  if (ipToBigInt(first) > ipToBigInt(last)) throw new Mismatch(`${at} should not end before it starts`);
  return { first, last };
}

/** An item of `instance_set`. */
export const instanceRecord: Read<InstanceRecord> = (value, at) => {
  const from = object(value, at);
  return {
    id: id<InstanceId>(from['instance_id'], `${at}.instance_id`),
    type: given(from, 'instance_type', text, at) ?? '',
    status: text(from['status'], `${at}.status`),
  };
};

/** An item of `security_group_set`. */
export const groupRecord: Read<GroupRecord> = (value, at) => {
  const from = object(value, at);
  return {
    id: id<string>(from['security_group_id'], `${at}.security_group_id`),
    isApplied: count(from['is_applied'], `${at}.is_applied`) !== 0,
  };
};

/** An item of `security_group_rule_set`. Those that are switched off let nothing in. */
export const ruleRecord: Read<RuleRecord> = (value, at) => {
  const from = object(value, at);
  const isOff = given(from, 'disabled', count, at) === 1;
  const ports = [given(from, 'val1', text, at), given(from, 'val2', text, at)];
  const source = given(from, 'val3', text, at) ?? '0.0.0.0/0';
  const block = tryParseCidr(source.includes('/') ? source : `${source}/32`);
  return {
    id: id<string>(from['security_group_rule_id'], `${at}.security_group_rule_id`),
    isIncoming: count(from['direction'], `${at}.direction`) === 0,
    isAccepting: !isOff && text(from['action'], `${at}.action`) === 'accept',
    isEverything: text(from['protocol'], `${at}.protocol`) === 'all' && ports.every((port) => port === undefined),
    ...(block && { from: block }),
  };
};

/** An item of `job_set`. */
export const jobRecord: Read<JobRecord> = (value, at) => {
  const from = object(value, at);
  const status = oneOf('pending', 'working', 'successful', 'failed', 'done with failure')(from['status'], `${at}.status`);
  const { job_action: action, resource_ids: named } = from;
  return {
    id: id<string>(from['job_id'], `${at}.job_id`),
    status,
    // Jobs of any kind are listed, and their ends are told whatever else is told of them.
    ...(typeof action === 'string' && { action }),
    resources: (typeof named === 'string' ? named.split(',') : Array.isArray(named) ? named : [])
      .filter((one) => typeof one === 'string')
      .map((one) => one.trim()),
  };
};

/** The answer of a call that starts a job. */
export const jobOf: Read<string> = (value, at) => id<string>(object(value, at)['job_id'], `${at}.job_id`);

/** The answer of AllocateVips. */
export const allocatedOf: Read<{ job: string; vips: string[] }> = (value, at) => ({
  job: jobOf(value, at),
  vips: list(id<string>)(object(value, at)['vips'], `${at}.vips`),
});

/** The one NIC that CreateNics made. */
export const madeOf: Read<{ id: NicId; mac: Mac; ip?: Ip }> = (value, at) => {
  const [one, ...more] = list(object)(object(value, at)['nics'], `${at}.nics`);
  if (one === undefined || more.length > 0) throw new Mismatch(`${at}.nics should have one`);
  const nic = id<NicId>(one['nic_id'], `${at}.nics[0].nic_id`);
  const address = given(one, 'private_ip', ip, `${at}.nics[0]`);
  return { id: nic, mac: mac(nic, `${at}.nics[0].nic_id`), ...(address && { ip: address }) };
};
