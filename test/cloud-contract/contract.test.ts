/** The contract of src/cloud/cloud.ts, kept by the cloud the controller's tests use and by the driver for the emulated VPC. */
import { systemClock } from '../../src/cloud/clock.ts';
import type { InstanceId, SubnetId } from '../../src/cloud/cloud.ts';
import { vpcCloud } from '../../src/cloud/vpc/vpc.ts';
import { type TestVpc, testVpc } from '../vpc/support.ts';
import { cloudContract } from './contract.ts';
import { memoryCloud } from '../cloud/memory-cloud.ts';

/** What the memory and the emulated VPC have in common. */
const like = {
  limits: { nics: 2, addressSlotsPerNic: 4, ipv6SlotsPerNic: 4 },
  v6: '2001:db8:20',
  prefixes: true,
  reserved: ['10.20.0.0/32', '10.20.0.1/32', '10.20.0.3/32', '10.20.0.255/32', '10.20.0.0/28', '10.20.0.240/28', '2001:db8:20::/80'],
  tellsHolder: true,
  multiMac: true,
  lacks: {
    stranger: 'it asks nobody for keys',
    expired: 'it asks nobody for keys',
    denied: 'everybody may do everything',
    quota: 'it has no accounts',
    pages: 'the memory has none, and the VPC’s have what is asked for',
    foreign: 'no other program marks interfaces there',
  },
} as const;

cloudContract('memory', async () => {
  const cloud = memoryCloud(systemClock);
  const subnet = cloud.addSubnet('subnet-a', '10.20.0.0/24', { cidr6: '2001:db8:20::/64' });
  const { limits } = like;
  return {
    ...like,
    lacks: { ...like.lacks, groups: 'the memory takes any name for one' },
    cloud,
    subnet,
    small: cloud.addSubnet('subnet-b', '10.20.1.0/28'),
    far: cloud.addSubnet('subnet-c', '10.20.2.0/24', { zone: 'z2' }),
    instance: cloud.launch('i-1', subnet, limits),
    other: cloud.launch('i-2', subnet, limits),
    branching: cloud.launch('i-3', subnet, { ...limits, nics: 3, branches: 2 }),
    passing: async () => {
      const instance = cloud.launch('i-4', subnet, limits);
      return { instance, end: async () => cloud.terminate(instance) };
    },
    [Symbol.asyncDispose]: async () => {},
  };
});

async function made(vpc: TestVpc, path: string, body: unknown): Promise<string> {
  const answer = await vpc.call('POST', path, body);
  if (answer.status !== 201) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
  return String(answer.body.id);
}

cloudContract('vpc', async () => {
  const vpc = await testVpc();
  const cloud = vpcCloud({ endpoint: vpc.url });
  const subnet = (await made(vpc, '/v1/subnets', { name: 'a', zone: 'z1', cidr4: '10.20.0.0/24', cidr6: '2001:db8:20::/64' })) as SubnetId;
  const launch = (name: string, type = 'v1.small') => made(vpc, '/v1/instances', { name, type, subnet }) as Promise<InstanceId>;
  await vpc.call('PUT', '/v1/instance-types/branching', { nics: 3, addressSlotsPerNic: 4, ipv6SlotsPerNic: 4, branches: 2 });
  return {
    ...like,
    cloud,
    subnet,
    small: (await made(vpc, '/v1/subnets', { name: 'b', zone: 'z1', cidr4: '10.20.1.0/28' })) as SubnetId,
    far: (await made(vpc, '/v1/subnets', { name: 'c', zone: 'z2', cidr4: '10.20.2.0/24' })) as SubnetId,
    instance: await launch('one'),
    other: await launch('two'),
    branching: await launch('three', 'branching'),
    passing: async () => {
      const instance = await launch('four');
      return { instance, end: async () => void (await vpc.call('DELETE', `/v1/instances/${instance}`)) };
    },
    async [Symbol.asyncDispose]() {
      cloud[Symbol.dispose]();
      await vpc[Symbol.asyncDispose]();
    },
  };
});
