/** The AWS driver before the emulated VPC's EC2 front, with the subnets and instances that the contract asks for. */
import { CreateSubnetCommand, DescribeVpcsCommand, RunInstancesCommand } from '@aws-sdk/client-ec2';
import { type AwsCloud, type AwsOptions, awsCloud } from '../../src/cloud/aws/aws.ts';
import type { InstanceId, SubnetId } from '../../src/cloud/cloud.ts';
import type { VpcOptions } from '../../src/vpc/start.ts';
import type { Ec2Options } from '../../src/vpc/ec2/ec2.ts';
import { type Ec2Bed, ec2Bed, key } from '../ec2/bed.ts';

export interface AwsBed extends Ec2Bed {
  readonly cloud: AwsCloud;
  readonly vpcId: string;
  /** Another driver for the same account; closed with the bed. */
  driver(more?: Partial<AwsOptions>): AwsCloud;
  subnet(cidr4: string, more?: { cidr6?: string; zone?: string }): Promise<SubnetId>;
  launch(subnet: SubnetId, type?: string): Promise<InstanceId>;
}

/** The environment of whoever has the bed's key. */
export const variables = { AWS_ACCESS_KEY_ID: key.id, AWS_SECRET_ACCESS_KEY: key.secret, AWS_EC2_METADATA_DISABLED: 'true' } as const;

/** Without packets unless asked for. `options`: of the driver. */
export async function awsBed(
  options: Partial<AwsOptions> = {},
  frontOptions: Partial<Ec2Options> = {},
  vpcOptions: Partial<VpcOptions> = {},
): Promise<AwsBed> {
  const bed = await ec2Bed(frontOptions, vpcOptions);
  const { Vpcs = [] } = await bed.ec2.send(new DescribeVpcsCommand({}));
  const vpcId = Vpcs[0]?.VpcId ?? '';
  const drivers: AwsCloud[] = [];
  const driver: AwsBed['driver'] = (more = {}) => {
    const one = awsCloud({ region: 'eu-west-1', endpoint: bed.url, vpc: vpcId, env: variables, ...options, ...more });
    drivers.push(one);
    return one;
  };
  return {
    ...bed,
    cloud: driver(),
    vpcId,
    driver,
    async subnet(cidr4, { cidr6, zone = 'z1' } = {}) {
      const { Subnet } = await bed.ec2.send(
        new CreateSubnetCommand({
          VpcId: vpcId,
          CidrBlock: cidr4,
          AvailabilityZone: zone,
          ...(cidr6 !== undefined && { Ipv6CidrBlock: cidr6 }),
        }),
      );
      // The id's brand is given where the cloud gives the id.
      return Subnet?.SubnetId as SubnetId;
    },
    async launch(subnet, type = 't3.small') {
      const request = { ImageId: 'ami-1', InstanceType: type, MinCount: 1, MaxCount: 1, SubnetId: subnet };
      // The SDK's type of InstanceType lists what AWS has today.
      const { Instances = [] } = await bed.ec2.send(
        new RunInstancesCommand({ ...request, EnablePrimaryIpv6: true, Ipv6AddressCount: 1 } as never),
      );
      return Instances[0]?.InstanceId as InstanceId;
    },
    async [Symbol.asyncDispose]() {
      for (const one of drivers) one[Symbol.dispose]();
      await bed[Symbol.asyncDispose]();
    },
  };
}
