/**
 * Which actions the key may not call. QingCloud has nothing to ask that, so each is called: reading ones for one object, changing ones for ids that cannot
 * exist, so that they change nothing, whatever comes of them.
 */
import { isFailure } from '../../errors/failure.ts';
import { parseCidr } from '../../net/cidr.ts';
import type { Api } from './call.ts';
import { addingParameters } from './groups.ts';
import type { Settings } from './options.ts';
import type { Patience } from './patience.ts';
import { tagParameters } from './put-tags.ts';
import type { Parameters } from './signature.ts';

/** No NIC has the Ethernet address of zeros. */
const NIC = '00:00:00:00:00:00';
const [VXNET, INSTANCE, VIP, TAG] = ['vxnet-00000000', 'i-00000000', 'vip-00000000', 'tag-00000000'] as const;
const GROUP = 'sg-00000000';
const one = { limit: 1 };

/** What the driver calls. */
const actions: readonly (readonly [action: string, parameters: Parameters])[] = [
  ['DescribeInstances', one],
  ['DescribeNics', one],
  ['DescribeVxnets', one],
  ['DescribeVips', one],
  ['DescribeJobs', one],
  ['CreateNics', { vxnet: VXNET, count: 1 }],
  ['AttachNics', { instance: INSTANCE, nics: [NIC] }],
  ['DetachNics', { nics: [NIC] }],
  ['DeleteNics', { nics: [NIC] }],
  ['AllocateVips', { vxnet_id: VXNET, count: 1 }],
  ['ReleaseVips', { vips: [VIP] }],
];

/** With a security group. */
const ofGroups: typeof actions = [
  ['DescribeSecurityGroups', one],
  ['DescribeSecurityGroupRules', { security_group: GROUP, ...one }],
  ['AddSecurityGroupRules', addingParameters(GROUP, [parseCidr('192.0.2.0/24')])],
  ['ApplySecurityGroup', { security_group: GROUP }],
];

/** The names of those that are denied. @throws Failure cloud* when the cloud does not answer, or denies the key itself. */
export async function deniedActions(api: Api, { allowSpoofing, tags, securityGroup }: Settings, patience: Patience): Promise<string[]> {
  const denied: string[] = [];
  const needed = [
    ...actions,
    ...(allowSpoofing === undefined ? [] : [['ModifyNicAttributes', { nic: NIC, enable_aspoof: 0 }] as const]),
    ...(tags.length === 0 ? [] : [['AttachTags', tagParameters(NIC, [TAG])] as const]),
    ...(securityGroup === undefined ? [] : ofGroups),
  ];
  for (const [action, parameters] of needed) {
    try {
      await api.call({ action, about: 'the permission for it', parameters }, () => undefined, patience);
    } catch (error) {
      if (!isFailure(error)) throw error;
      if (isFailure(error, 'cloudDenied') && error.details.startsWith('1400:')) denied.push(action);
      else if (!['cloudNotFound', 'cloudConflict', 'cloudInvalid', 'cloudLimit'].includes(error.kind)) throw error;
    }
  }
  return denied;
}
