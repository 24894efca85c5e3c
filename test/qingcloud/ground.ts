/** A strict double of QingCloud with what tests need in it, and the driver in front of it. */
import type { InstanceId, SubnetId } from '../../src/cloud/cloud.ts';
import type { QingCloudOptions } from '../../src/cloud/qingcloud/options.ts';
import { qingCloud } from '../../src/cloud/qingcloud/qingcloud.ts';
import { qingcloud } from '../../src/vpc/qingcloud/front.ts';
import type { Switches } from '../../src/vpc/qingcloud/switches.ts';
import type { VpcOptions } from '../../src/vpc/start.ts';
import { type Reply, call as callAt, type TestVpc, testVpc } from '../vpc/support.ts';
import { keyFile } from './key-file.ts';

const account = { owner: 'usr-driver01', accessKeyId: 'QYKEYFORTHEDRIVER', secretAccessKey: 'a-secret-that-nobody-may-see' };

export interface QingGround extends AsyncDisposable {
  readonly vpc: TestVpc;
  /** The double's API, with its path. */
  readonly endpoint: string;
  /** A file with the account's keys. */
  readonly keys: string;
  /** Counts, switches and faults of the double. */
  aside(method: string, path: string, body?: unknown): Promise<Reply>;
  /** Another driver, as after a restart. */
  driver(options?: Partial<QingCloudOptions>): ReturnType<typeof qingCloud>;
  subnet(cidr4: string, name: string): Promise<SubnetId>;
  launch(name: string, subnet: SubnetId): Promise<InstanceId>;
  /** With its first NIC. */
  terminate(instance: InstanceId): Promise<void>;
}

/** The double by itself; its jobs take no time unless asked for. `behind`: how the VPC behind it is. */
export async function qingGround(switches: Partial<Switches> = {}, behind: Partial<VpcOptions> = {}): Promise<QingGround> {
  await using building = new AsyncDisposableStack();
  const front = qingcloud({ listen: '127.0.0.1:0', accounts: [account], switches: { jobs_ms: [1, 20], ...switches } });
  const vpc = building.use(await testVpc({ ...behind, fronts: [front] }));
  const origin = vpc.frontUrls['qingcloud'] ?? '';
  const keys = building.use(keyFile(account.accessKeyId, account.secretAccessKey)).path;
  const drivers = building.use(new DisposableStack());
  const endpoint = `${origin}/iaas`;
  const made = async (path: string, body: unknown): Promise<string> => {
    const answer = await vpc.call('POST', path, body);
    if (answer.status !== 201) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
    return String(answer.body.id);
  };
  const owned = building.move();
  return {
    vpc,
    endpoint,
    keys,
    aside: (method, path, body) => callAt(origin, method, path, body),
    driver: (options = {}) => drivers.use(qingCloud({ credentials: { from: 'file', path: keys }, endpoint, zone: 'pek3a', ...options })),
    subnet: async (cidr4, name) => `vxnet-${(await made('/v1/subnets', { name, zone: 'pek3a', cidr4 })).slice(-8)}` as SubnetId,
    launch: async (name, subnet) => {
      const found = (await idsOf(vpc, 'subnets')).find((id) => id.endsWith(subnet.slice(-8)));
      return `i-${(await made('/v1/instances', { name, type: 'v1.small', subnet: found })).slice(-8)}` as InstanceId;
    },
    terminate: async (instance) => {
      const found = (await idsOf(vpc, 'instances')).find((id) => id.endsWith(instance.slice(-8)));
      await vpc.call('DELETE', `/v1/instances/${found}`);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function idsOf(vpc: TestVpc, kind: 'subnets' | 'instances'): Promise<string[]> {
  const { body } = await vpc.call('GET', `/v1/${kind}`);
  return body.items.map(({ id }: { id: string }) => id);
}
