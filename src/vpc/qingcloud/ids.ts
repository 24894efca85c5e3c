/** Ids as QingCloud spells them: a prefix and eight characters, the tail of the model's id; a NIC's id is its Ethernet address. */
import { randomInt } from 'node:crypto';
import { tryParseMac } from '../../net/mac.ts';
import { networkOf } from '../model/find.ts';
import type { Instance, Nic, SecurityGroup, State, Subnet } from '../model/objects.ts';
import { unknown } from './problem.ts';

const TAIL = 8;
const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** A fresh id for what the model has no object of. */
export function freshId(prefix: string): string {
  return `${prefix}-${Array.from({ length: TAIL }, () => LETTERS[randomInt(LETTERS.length)]).join('')}`;
}

/** The subnet's id. */
export function vxnetId({ id }: { readonly id: string }): string {
  return `vxnet-${id.slice(-TAIL)}`;
}

/** The instance's id. */
export function instanceId(id: string): string {
  return `i-${id.slice(-TAIL)}`;
}

/** The security group's id. */
export function groupId(id: string): string {
  return `sg-${id.slice(-TAIL)}`;
}

/** The id of the one router there is. */
export function routerId(state: State): string {
  return `rtr-${networkOf(state).id.slice(-TAIL)}`;
}

/** @throws Problem 2100. */
export function subnetBy(state: State, id: string): Subnet {
  return found(state.subnet.values(), id, vxnetId);
}

/** Terminated ones too. @throws Problem 2100. */
export function instanceBy(state: State, id: string): Instance {
  return found(state.instance.values(), id, (one) => instanceId(one.id));
}

/** @throws Problem 2100. */
export function groupBy(state: State, id: string): SecurityGroup {
  return found(state.group.values(), id, (one) => groupId(one.id));
}

/** @throws Problem 2100. */
export function nicBy(state: State, id: string): Nic {
  const mac = tryParseMac(id);
  return found(interfaces(state), mac ?? id, (one) => one.mac);
}

/** NICs alone, not what holds a subnet's VIPs. Oldest first. */
export function interfaces(state: State): Nic[] {
  return [...state.nic.values()].filter(({ floating }) => floating === undefined).toSorted((a, b) => a.createdAt_ms - b.createdAt_ms);
}

function found<T>(objects: Iterable<T>, id: string, idOf: (object: T) => string): T {
  for (const object of objects) if (idOf(object) === id) return object;
  throw unknown(id);
}
