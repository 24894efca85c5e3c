/** The contract of src/cloud/cloud.ts, kept by the AWS driver before moto: an EC2 server that we did not write, made strict by test/ec2/strict_moto.py. */
import { after } from 'node:test';
import { CreateTagsCommand, EC2Client, TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import { type AwsCloud, awsCloud } from '../../src/cloud/aws/aws.ts';
import type { InstanceId, NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { cloudContract } from '../cloud-contract/contract.ts';
import { checksKeys, type MotoKey } from '../ec2/moto-keys.ts';
import { launchIn, type Moto, motoRegion, motoSite, strictMoto } from '../ec2/moto.ts';

/** As few as EC2 lets anybody ask for. */
const PAGE = 5;
/** One server serves all tests: to start one takes seconds. */
let server: Moto | undefined;
after(() => server?.[Symbol.asyncDispose]());

cloudContract('aws before moto', async () => {
  const moto = (server ??= await strictMoto({ page: PAGE }));
  await moto.empty();
  const site = await motoSite(moto);
  const { vpc, subnet, small, far } = site;
  const [instance, other] = [await site.launch(), await site.launch()];
  const keys = await checksKeys(moto, { owner: 'ec2:*', looker: 'ec2:Describe*' });
  await using open = new AsyncDisposableStack();
  const by = ({ id, secret }: MotoKey): AwsCloud =>
    open.use(awsCloud({ endpoint: moto.url, region: motoRegion, vpc, env: { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } }));
  const credentials = { accessKeyId: keys.owner.id, secretAccessKey: keys.owner.secret };
  const ec2 = new EC2Client({ endpoint: moto.url, region: motoRegion, maxAttempts: 1, credentials });
  open.defer(() => ec2.destroy());
  const looker = by(keys.looker);
  const ground = {
    cloud: by(keys.owner),
    stranger: by({ id: keys.owner.id, secret: 'not that one' }),
    // The brands of ids are given where the cloud gives the ids.
    subnet: subnet as SubnetId,
    small: small as SubnetId,
    far: far as SubnetId,
    instance: instance as InstanceId,
    other: other as InstanceId,
    passing: async () => {
      const id = await launchIn(subnet, ec2);
      return {
        instance: id as InstanceId,
        end: async () => void (await ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))),
      };
    },
    limits: { nics: 3, addressSlotsPerNic: 4, ipv6SlotsPerNic: 4 },
    v6: '2001:db8:20',
    prefixes: true,
    reserved: ['10.20.0.0/32', '10.20.0.1/32', '10.20.0.3/32', '10.20.0.255/32', '10.20.0.0/28', '10.20.0.240/28', '2001:db8:20::/80'],
    tellsHolder: true,
    multiMac: false,
    denied: () => Promise.resolve(looker),
    pages: () => Promise.resolve(PAGE),
    foreign: async (nic: NicId) =>
      void (await ec2.send(
        new CreateTagsCommand({ Resources: [nic], Tags: [{ Key: 'node.k8s.amazonaws.com/instance_id', Value: 'i-1' }] }),
      )),
    lacks: { branching: 'moto knows no trunks', expired: 'moto’s keys never expire', quota: 'moto has no quotas' },
  };
  const all = open.move();
  return { ...ground, [Symbol.asyncDispose]: () => all.disposeAsync() };
});
