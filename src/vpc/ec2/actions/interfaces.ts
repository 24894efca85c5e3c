/** Describing, deleting and modifying network interfaces. */
import type { NicId } from '../../../cloud/cloud.ts';
import { networkOf } from '../../model/find.ts';
import type { Nic, State } from '../../model/objects.ts';
import { type Fields as Filterable, filtered, filtersOf } from '../filters.ts';
import { eniOf, groupIn, nicIdOf, nicIn, notFound } from '../ids.ts';
import { attachmentOf, factsOf, noteFacts } from '../notes.ts';
import { paged, pageIn } from '../pages.ts';
import type { Parameters } from '../parameters.ts';
import { invalid, notTogether, Refused } from '../refused.ts';
import { type Action, changes, done, ownCall, type Setting, tells } from './action.ts';
import { attachmentStatus, hasPrimary6, holdingsOf, shownInterface, statusOf, typeOf } from './interface-shown.ts';

/** The interface, once EC2 knows it everywhere. @throws Refused InvalidNetworkInterfaceID.NotFound. */
export function knownNic(state: State, id: NicId, { lag, now_ms }: Setting): Nic {
  const nic = nicIn(state, id);
  if (now_ms() - nic.createdAt_ms < lag.unknown_ms) throw notFound('InvalidNetworkInterfaceID.NotFound', 'networkInterface', eniOf(id));
  return nic;
}

/** The actions of this file. */
export const interfaceActions: readonly Action[] = [
  tells('DescribeNetworkInterfaces', 'ListNics', (parameters) => {
    const ids = parameters.texts('NetworkInterfaceId').map(nicIdOf);
    const filters = filtersOf(parameters);
    const page = pageIn(parameters, ids);
    parameters.flag('IncludeManagedResources');
    return (state, setting) => {
      const all = ids.length > 0 ? [...new Set(ids)].map((id) => knownNic(state, id, setting)) : [...state.nic.values()];
      const known = all.filter(({ createdAt_ms }) => setting.now_ms() - createdAt_ms >= setting.lag.unknown_ms);
      const most = page.most && Math.min(page.most, setting.lag.longestPage);
      const { items, nextToken } = paged(filtered(known, filters, filterable(state, setting)), { ...page, most }, filters);
      return { networkInterfaceSet: items.map((nic) => shownInterface(state, nic, setting)), nextToken };
    };
  }),
  changes('DeleteNetworkInterface', 'DeleteNic', (parameters) => {
    const id = nicIdOf(parameters.needed('NetworkInterfaceId'));
    return (transaction, setting) => {
      const nic = knownNic(transaction.state, id, setting);
      if (nic.attachment !== undefined || nic.branch !== undefined) throw invalid(`Network interface '${eniOf(id)}' is currently in use.`);
      ownCall('DeleteNic', transaction, id);
      transaction.remove('note', `ec2 ${id}`);
      return done;
    };
  }),
  changes('ModifyNetworkInterfaceAttribute', 'SetNicSecurityGroups', modifying),
];

function modifying(parameters: Parameters): ReturnType<Extract<Action, { does: 'change' }>['prepare']> {
  const id = nicIdOf(parameters.needed('NetworkInterfaceId'));
  const groups = parameters.texts('SecurityGroupId');
  const description = parameters.part('Description')?.needed('Value');
  const sourceDestCheck = parameters.part('SourceDestCheck')?.flag('Value');
  const attachmentPart = parameters.part('Attachment');
  const attachment = attachmentPart?.needed('AttachmentId');
  const deleteOnTermination = attachmentPart?.flag('DeleteOnTermination');
  const primary6 = parameters.flag('EnablePrimaryIpv6');
  const given = [groups.length > 0 || undefined, description, sourceDestCheck, deleteOnTermination, primary6];
  const count = given.filter((one) => one !== undefined).length;
  if (count !== 1) throw notTogether('Exactly one attribute must be specified');
  return (transaction, setting) => {
    const { state } = transaction;
    const nic = knownNic(state, id, setting);
    if (groups.length > 0) {
      for (const group of groups) groupIn(state, group, 'InvalidSecurityGroupID.NotFound');
      ownCall('SetNicSecurityGroups', transaction, id, { securityGroups: groups });
    }
    if (description !== undefined) transaction.put('nic', { ...nic, description });
    if (sourceDestCheck !== undefined) noteFacts(transaction, id, { sourceDestCheck: sourceDestCheck ? 'yes' : 'no' });
    if (primary6 === false && hasPrimary6(state, nic))
      throw new Refused('OperationNotPermitted', 'A primary IPv6 address cannot be disabled');
    if (primary6 === true) {
      if (holdingsOf(state, nic).addresses6.length === 0) throw invalid('The interface has no IPv6 address');
      const { ipv6: _plain, ...facts } = factsOf(state, id);
      transaction.put('note', { id: `ec2 ${id}`, facts });
    }
    if (deleteOnTermination !== undefined) {
      const there = attachmentOf(state, nic);
      if (there === undefined || there.id !== attachment || nic.attachment === undefined)
        throw notFound('InvalidAttachmentID.NotFound', 'attachment', attachment ?? '');
      noteFacts(transaction, id, {
        attachedTo: `${nic.attachment.instance} ${nic.attachment.deviceIndex}`,
        attachment: there.id,
        attachedAt_ms: String(there.at_ms),
        deleteOnTermination: deleteOnTermination ? 'yes' : 'no',
      });
    }
    return done;
  };
}

function filterable(state: State, setting: Setting): Filterable<Nic> {
  const yes = (value: boolean): string => String(value);
  const groupNames = ({ securityGroups }: Nic): (string | undefined)[] => securityGroups.map((id) => state.group.get(id)?.name);
  return {
    'addresses.private-ip-address': (nic) => holdingsOf(state, nic).addresses4,
    'addresses.primary': (nic) => holdingsOf(state, nic).addresses4.map((_, i) => yes(i === 0)),
    'attachment.attachment-id': (nic) => attachmentOf(state, nic)?.id,
    'attachment.delete-on-termination': (nic) => {
      const attachment = attachmentOf(state, nic);
      return attachment && yes(attachment.deleteOnTermination);
    },
    'attachment.device-index': ({ attachment }) => attachment && String(attachment.deviceIndex),
    'attachment.instance-id': ({ attachment }) => attachment?.instance,
    'attachment.instance-owner-id': ({ attachment }) => attachment && setting.account,
    'attachment.status': (nic) => attachmentStatus(state, nic, setting) ?? 'detached',
    'availability-zone': ({ subnet }) => state.subnet.get(subnet)?.zone,
    description: ({ description }) => description,
    'group-id': ({ securityGroups }) => securityGroups,
    'group-name': groupNames,
    'ipv6-addresses.ipv6-address': (nic) => holdingsOf(state, nic).addresses6,
    'interface-type': typeOf,
    'mac-address': ({ mac }) => mac,
    'network-interface-id': ({ id }) => eniOf(id),
    'owner-id': () => setting.account,
    'private-ip-address': (nic) => holdingsOf(state, nic).addresses4,
    'requester-managed': () => 'false',
    'source-dest-check': ({ id }) => yes(factsOf(state, id).sourceDestCheck !== 'no'),
    status: statusOf,
    'subnet-id': ({ subnet }) => subnet,
    'vpc-id': () => networkOf(state).id,
  };
}
