/**
 * Which calls the keys may make, asked one by one before one is needed. EC2 answers a dry run with DryRunOperation or UnauthorizedOperation. Assigning has
 * no dry run: it is asked of an interface that cannot exist, so that nothing changes either way.
 */
import type { ErrorName } from '../../errors/catalogue.ts';
import type { Call } from './ec2.ts';
import type { Parameters } from './query.ts';
import { Refused } from './refused.ts';
import type { Aws } from './surroundings.ts';

/** No interface has it: EC2 gives ids at random, and answers NotFound to whoever may ask. */
const nobody = 'eni-00000000000000000';
const wet = { NetworkInterfaceId: nobody };

interface Asking {
  readonly action: string;
  readonly parameters: Parameters;
}

const dry = (action: string, parameters: Parameters = {}): Asking => ({ action, parameters: { ...parameters, DryRun: true } });

/** `subnet`: one of ours; without it EC2 may judge the subnet before the permission. */
function askings(vpc: string, subnet: string, withBranches: boolean): Asking[] {
  const TagSpecification = [{ ResourceType: 'network-interface', Tag: [{ Key: 'flatpod.dev/cluster', Value: 'dry-run' }] }];
  return [
    dry('DescribeVpcs', { VpcId: [vpc] }),
    dry('DescribeSubnets'),
    dry('DescribeInstances'),
    dry('DescribeInstanceTypes'),
    dry('DescribeNetworkInterfaces'),
    // With tags it needs CreateTags as well, and names it when it is that which is missing.
    dry('CreateNetworkInterface', { SubnetId: subnet, TagSpecification }),
    dry('AttachNetworkInterface', { ...wet, InstanceId: 'i-00000000000000000', DeviceIndex: 1 }),
    dry('ModifyNetworkInterfaceAttribute', { ...wet, 'SourceDestCheck.Value': true }),
    dry('DetachNetworkInterface', { AttachmentId: 'eni-attach-00000000000000000' }),
    dry('DeleteNetworkInterface', wet),
    { action: 'AssignPrivateIpAddresses', parameters: { ...wet, SecondaryPrivateIpAddressCount: 1 } },
    { action: 'UnassignPrivateIpAddresses', parameters: { ...wet, PrivateIpAddress: ['192.0.2.1'] } },
    { action: 'AssignIpv6Addresses', parameters: { ...wet, Ipv6AddressCount: 1 } },
    { action: 'UnassignIpv6Addresses', parameters: { ...wet, Ipv6Addresses: ['2001:db8::1'] } },
    ...(withBranches
      ? [
          dry('DescribeTrunkInterfaceAssociations'),
          dry('AssociateTrunkInterface', { BranchInterfaceId: nobody, TrunkInterfaceId: nobody, VlanId: 1 }),
          dry('DisassociateTrunkInterface', { AssociationId: 'trunk-assoc-00000000000000000' }),
        ]
      : []),
  ];
}

/**
 * The calls that the keys may not make, such as `ec2:AttachNetworkInterface`. What EC2 refuses for another reason counts as permitted.
 * @throws Failure cloud* when EC2 cannot be asked at all
 */
export async function missingPermissions(vpc: string, subnet: string, { ec2, branches }: Aws): Promise<string[]> {
  const missing: string[] = [];
  for (const { action, parameters } of askings(vpc, subnet, Object.keys(branches).length > 0)) {
    const call: Call<unknown> = { action, parameters, object: 'its permissions', read: () => undefined };
    const answer = await ec2.ask(call, ec2.deadline());
    if (!(answer instanceof Refused)) continue;
    if (answer.code === 'UnauthorizedOperation') {
      missing.push(/perform: (ec2:\w+)/.exec(answer.words)?.[1] ?? `ec2:${action}`);
      continue;
    }
    const failed = ec2.failure(answer, call);
    if (answer.code === 'OptInRequired' || noAnswers.has(failed.kind)) throw failed;
  }
  return [...new Set(missing)];
}

/** The keys themselves are refused, or EC2 has no time. */
const noAnswers: ReadonlySet<ErrorName> = new Set<ErrorName>(['cloudCredentials', 'cloudThrottled', 'cloudUnavailable']);
