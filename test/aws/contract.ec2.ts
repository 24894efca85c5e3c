/** The contract of src/cloud/cloud.ts, kept by the AWS driver before moto: an EC2 server that we did not write, made strict by test/ec2/strict_moto.py. */
import { after } from 'node:test';
import { TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import { awsCloud } from '../../src/cloud/aws/aws.ts';
import type { InstanceId, SubnetId } from '../../src/cloud/cloud.ts';
import { cloudContract } from '../cloud-contract/contract.ts';
import { type Moto, motoKey, motoRegion, motoSite, strictMoto } from '../ec2/moto.ts';

/** One server serves all tests: to start one takes seconds. */
let server: Moto | undefined;
after(() => server?.[Symbol.asyncDispose]());

cloudContract('aws before moto', async () => {
  const moto = (server ??= await strictMoto());
  await moto.empty();
  const site = await motoSite(moto);
  const { vpc, subnet, small, far } = site;
  const env = { AWS_ACCESS_KEY_ID: motoKey.accessKeyId, AWS_SECRET_ACCESS_KEY: motoKey.secretAccessKey };
  const cloud = awsCloud({ endpoint: moto.url, region: motoRegion, vpc, env });
  return {
    cloud,
    // The brands of ids are given where the cloud gives the ids.
    subnet: subnet as SubnetId,
    small: small as SubnetId,
    far: far as SubnetId,
    instance: (await site.launch()) as InstanceId,
    other: (await site.launch()) as InstanceId,
    passing: async () => {
      const id = await site.launch();
      return {
        instance: id as InstanceId,
        end: async () => void (await moto.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))),
      };
    },
    limits: { nics: 3, addressSlotsPerNic: 4, ipv6SlotsPerNic: 4 },
    v6: '2001:db8:20',
    prefixes: true,
    reserved: ['10.20.0.0/32', '10.20.0.1/32', '10.20.0.3/32', '10.20.0.255/32', '10.20.0.0/28', '10.20.0.240/28', '2001:db8:20::/80'],
    tellsHolder: true,
    multiMac: false,
    async [Symbol.asyncDispose]() {
      cloud[Symbol.dispose]();
    },
  };
});
