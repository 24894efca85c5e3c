/** Load balancers and their parts, and floating IPs, as Octavia's API v2 and Neutron's v2.0 tell them: as far as we use them. */
import type { Ip } from '../../../net/address.ts';
import type { Cidr } from '../../../net/cidr.ts';
import { cidr, count, id, ip, list, object, oneOf, type Read, text } from '../../wire/shape.ts';
import { moment } from '../token.ts';

/** A load balancer. */
export interface Balancer {
  readonly id: string;
  /** Its tags. */
  readonly words: readonly string[];
  readonly provisioning: 'ACTIVE' | 'PENDING_CREATE' | 'PENDING_UPDATE' | 'PENDING_DELETE' | 'ERROR' | 'DELETED';
  readonly operating: string;
  readonly address: Ip;
  /** Neutron's port that has the address. */
  readonly port: string;
  readonly createdAt_ms: number;
}

/** A port that is listened on. */
export interface Listener {
  readonly id: string;
  readonly protocol: string;
  readonly port: number;
  /** Where connections go; absent: nowhere. */
  readonly pool?: string;
  /** Who may connect; empty: everybody. */
  readonly sources: readonly Cidr[];
}

/** Members that are chosen from in one way. */
export interface Pool {
  readonly id: string;
  readonly name: string;
  readonly algorithm: string;
  /** Absent: a client gets any member. */
  readonly persistence?: { readonly type: string; readonly timeout_s?: number };
  readonly monitor?: string;
}

/** One server behind a pool. */
export interface Member {
  readonly address: Ip;
  readonly port: number;
  /** Absent: Octavia was not told where the address is. */
  readonly subnet?: string;
}

/** An address from outside for a port. */
export interface FloatingIp {
  readonly id: string;
  readonly address: Ip;
  /** Absent: for none. */
  readonly port?: string;
  readonly description: string;
}

const provisioning = oneOf('ACTIVE', 'PENDING_CREATE', 'PENDING_UPDATE', 'PENDING_DELETE', 'ERROR', 'DELETED');

/** @throws Mismatch */
export const balancerOf: Read<Balancer> = (value, at) => {
  const from = object(value, at);
  return {
    id: id(from['id'], `${at}.id`),
    words: list(text)(from['tags'], `${at}.tags`),
    provisioning: provisioning(from['provisioning_status'], `${at}.provisioning_status`),
    operating: text(from['operating_status'], `${at}.operating_status`),
    address: ip(from['vip_address'], `${at}.vip_address`),
    port: id(from['vip_port_id'], `${at}.vip_port_id`),
    createdAt_ms: moment(from['created_at'], `${at}.created_at`),
  };
};

/** @throws Mismatch */
export const listenerOf: Read<Listener> = (value, at) => {
  const from = object(value, at);
  const pool = from['default_pool_id'] ?? undefined;
  return {
    id: id(from['id'], `${at}.id`),
    protocol: text(from['protocol'], `${at}.protocol`),
    port: count(from['protocol_port'], `${at}.protocol_port`),
    ...(pool !== undefined && { pool: id(pool, `${at}.default_pool_id`) }),
    sources: list(cidr)(from['allowed_cidrs'] ?? [], `${at}.allowed_cidrs`),
  };
};

/** @throws Mismatch */
export const poolOf: Read<Pool> = (value, at) => {
  const from = object(value, at);
  const [persistence, monitor] = [from['session_persistence'] ?? undefined, from['healthmonitor_id'] ?? undefined];
  return {
    id: id(from['id'], `${at}.id`),
    name: text(from['name'], `${at}.name`),
    algorithm: text(from['lb_algorithm'], `${at}.lb_algorithm`),
    ...(persistence !== undefined && { persistence: persistenceOf(persistence, `${at}.session_persistence`) }),
    ...(monitor !== undefined && { monitor: id(monitor, `${at}.healthmonitor_id`) }),
  };
};

const persistenceOf: Read<NonNullable<Pool['persistence']>> = (value, at) => {
  const from = object(value, at);
  const timeout = from['persistence_timeout'] ?? undefined;
  return {
    type: text(from['type'], `${at}.type`),
    ...(timeout !== undefined && { timeout_s: count(timeout, `${at}.persistence_timeout`) }),
  };
};

/** @throws Mismatch */
export const memberOf: Read<Member> = (value, at) => {
  const from = object(value, at);
  const subnet = from['subnet_id'] ?? undefined;
  return {
    address: ip(from['address'], `${at}.address`),
    port: count(from['protocol_port'], `${at}.protocol_port`),
    ...(subnet !== undefined && { subnet: id(subnet, `${at}.subnet_id`) }),
  };
};

/** @throws Mismatch */
export const floatingIpOf: Read<FloatingIp> = (value, at) => {
  const from = object(value, at);
  const port = from['port_id'] ?? undefined;
  return {
    id: id(from['id'], `${at}.id`),
    address: ip(from['floating_ip_address'], `${at}.floating_ip_address`),
    ...(port !== undefined && { port: id(port, `${at}.port_id`) }),
    description: text(from['description'] ?? '', `${at}.description`),
  };
};
