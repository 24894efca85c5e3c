/** The EC2 front with a subnet and an instance, and what makes interfaces. */
import assert from 'node:assert/strict';
import {
  CreateNetworkInterfaceCommand,
  type CreateNetworkInterfaceCommandInput,
  DescribeNetworkInterfacesCommand,
  type NetworkInterface,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import type { Ec2Options } from '../../src/vpc/ec2/ec2.ts';
import type { VpcOptions } from '../../src/vpc/start.ts';
import { withSubnet } from '../vpc/support.ts';
import { type Ec2Bed, ec2Bed } from './bed.ts';

export interface Ground extends Ec2Bed {
  readonly subnet: string;
  readonly instance: string;
  create(more?: Partial<CreateNetworkInterfaceCommandInput>): Promise<NetworkInterface & { NetworkInterfaceId: string }>;
  one(id: string): Promise<NetworkInterface>;
}

/** A dual-stack subnet and a t3.small, with 3 interfaces of 4 addresses a family. */
export async function ground(options: Partial<Ec2Options> = {}, vpcOptions: Partial<VpcOptions> = {}): Promise<Ground> {
  await using open = new AsyncDisposableStack();
  const bed = open.use(await ec2Bed(options, vpcOptions));
  const subnet = await withSubnet(bed.vpc);
  const launched = await bed.ec2.send(
    new RunInstancesCommand({
      ImageId: 'ami-1',
      InstanceType: 't3.small',
      MinCount: 1,
      MaxCount: 1,
      SubnetId: subnet,
      EnablePrimaryIpv6: true,
      Ipv6AddressCount: 1,
    }),
  );
  const instance = launched.Instances?.[0]?.InstanceId ?? '';
  const running = open.move();
  return {
    ...bed,
    subnet,
    instance,
    async create(more = {}) {
      const made = await bed.ec2.send(new CreateNetworkInterfaceCommand({ SubnetId: subnet, ...more }));
      const { NetworkInterfaceId: id, ...rest } = made.NetworkInterface ?? {};
      assert.ok(id !== undefined);
      return { NetworkInterfaceId: id, ...rest };
    },
    async one(id) {
      const found = await bed.ec2.send(new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [id] }));
      assert.equal(found.NetworkInterfaces?.length, 1);
      return found.NetworkInterfaces?.[0] ?? {};
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
