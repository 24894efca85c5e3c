/** The contract of src/cloud/cloud.ts, kept by the AWS driver before the emulated VPC's EC2 front. */
import assert from 'node:assert/strict';
import { CreateTagsCommand } from '@aws-sdk/client-ec2';
import type { AwsCloud } from '../../src/cloud/aws/aws.ts';
import type { AccessKey } from '../../src/vpc/ec2/keys.ts';
import { cloudContract } from '../cloud-contract/contract.ts';
import { awsBed, variables } from './ground.ts';

cloudContract('aws', async () => {
  const bed = await awsBed({ branches: { 't9.branching': 2 } });
  await bed.vpc.call('PUT', '/v1/instance-types/t9.branching', { nics: 3, addressSlotsPerNic: 4, ipv6SlotsPerNic: 4, branches: 2 });
  const by = (key: AccessKey): AwsCloud => {
    bed.front.keys.push(key);
    const { id: AWS_ACCESS_KEY_ID, secret: AWS_SECRET_ACCESS_KEY, sessionToken } = key;
    return bed.driver({
      env: { ...variables, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, ...(sessionToken && { AWS_SESSION_TOKEN: sessionToken }) },
    });
  };
  const subnet = await bed.subnet('10.20.0.0/24', { cidr6: '2001:db8:20::/64' });
  return {
    cloud: bed.cloud,
    subnet,
    small: await bed.subnet('10.20.1.0/28'),
    far: await bed.subnet('10.20.2.0/24', { zone: 'z2' }),
    instance: await bed.launch(subnet),
    other: await bed.launch(subnet),
    limits: { nics: 3, addressSlotsPerNic: 4, ipv6SlotsPerNic: 4 },
    branching: await bed.launch(subnet, 't9.branching'),
    passing: async () => {
      const instance = await bed.launch(subnet);
      return { instance, end: async () => void (await bed.vpc.call('DELETE', `/v1/instances/${instance}`)) };
    },
    v6: '2001:db8:20',
    prefixes: true,
    reserved: ['10.20.0.0/32', '10.20.0.1/32', '10.20.0.3/32', '10.20.0.255/32', '10.20.0.0/28', '10.20.0.240/28', '2001:db8:20::/80'],
    tellsHolder: true,
    multiMac: false,
    stranger: bed.driver({ env: { AWS_ACCESS_KEY_ID: 'AKIANOBODY', AWS_SECRET_ACCESS_KEY: 'wrong', AWS_EC2_METADATA_DISABLED: 'true' } }),
    expired: async () => by({ id: 'ASIAGONE', secret: 'once good', sessionToken: 'a token', expiresAt_ms: Date.now() - 1 }),
    denied: async () => by({ id: 'AKIALOOKS', secret: 'may look', denied: bed.front.calls.filter((call) => !call.startsWith('Describe')) }),
    quota: async () => {
      assert.ok((await bed.fault({ call: 'CreateNic', effect: { kind: 'error', reason: 'LimitExceeded' } })).status < 300);
    },
    pages: async () => (bed.front.lag.longestPage = 5),
    foreign: async (nic) =>
      void (await bed.ec2.send(
        new CreateTagsCommand({ Resources: [nic], Tags: [{ Key: 'node.k8s.amazonaws.com/instance_id', Value: 'i-1' }] }),
      )),
    lacks: {},
    [Symbol.asyncDispose]: () => bed[Symbol.asyncDispose](),
  };
});
