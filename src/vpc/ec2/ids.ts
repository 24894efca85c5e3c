/** EC2's ids. A NIC is `eni-…` there and `nic-…` in the model, with the same digits; all others are spelled alike. */
import type { InstanceId, NicId } from '../../cloud/cloud.ts';
import { networkOf } from '../model/find.ts';
import type { GroupId, Instance, Nic, SecurityGroup, State, Subnet } from '../model/objects.ts';
import { Refused } from './refused.ts';

/** The NIC's id in EC2's spelling. */
export function eniOf(nic: NicId): string {
  return nic.replace(/^nic-/, 'eni-');
}

/** The model's id of an interface. @throws Refused InvalidNetworkInterfaceID.Malformed. */
export function nicIdOf(eni: string): NicId {
  checkForm(eni, 'eni', 'InvalidNetworkInterfaceID.Malformed');
  return eni.replace(/^eni-/, 'nic-') as NicId; // of that form
}

/** @throws Refused InvalidNetworkInterfaceID.NotFound. */
export function nicIn(state: State, id: NicId): Nic {
  const nic = state.nic.get(id);
  if (nic === undefined) throw notFound('InvalidNetworkInterfaceID.NotFound', 'networkInterface', eniOf(id));
  return nic;
}

/** @throws Refused InvalidInstanceID.Malformed. */
export function instanceIdOf(id: string): InstanceId {
  checkForm(id, 'i', 'InvalidInstanceID.Malformed');
  return id as InstanceId; // of that form
}

/** An instance of this VPC. @throws Refused InvalidInstanceID.NotFound. */
export function instanceIn(state: State, id: InstanceId): Instance {
  const instance = state.instance.get(id);
  if (instance?.kind !== 'vm') throw notFound('InvalidInstanceID.NotFound', 'instance', id);
  return instance;
}

/** @throws Refused InvalidSubnetID.NotFound. */
export function subnetIn(state: State, id: string): Subnet {
  const subnet = state.subnet.get(id);
  if (subnet === undefined) throw notFound('InvalidSubnetID.NotFound', 'subnet', id);
  return subnet;
}

/** @throws Refused with that code, which differs by action. */
export function groupIn(state: State, id: string, code = 'InvalidGroup.NotFound'): SecurityGroup {
  const group = state.group.get(id);
  if (group === undefined) throw notFound(code, 'security group', id);
  return group;
}

/** @throws Refused InvalidGroupId.Malformed. */
export function groupIdOf(id: string): GroupId {
  checkForm(id, 'sg', 'InvalidGroupId.Malformed');
  return id as GroupId; // of that form
}

/** @throws Refused InvalidVpcID.NotFound unless it is the one there is. */
export function checkVpc(state: State, id: string): void {
  if (id !== networkOf(state).id) throw notFound('InvalidVpcID.NotFound', 'vpc', id);
}

/** The refusal of an id nobody knows. */
export function notFound(code: string, what: string, id: string): Refused {
  return new Refused(code, `The ${what} ID '${id}' does not exist`);
}

function checkForm(id: string, prefix: string, code: string): void {
  if (!new RegExp(`^${prefix}-([0-9a-f]{8}|[0-9a-f]{17})$`).test(id)) throw new Refused(code, `Invalid id: "${id}"`);
}
