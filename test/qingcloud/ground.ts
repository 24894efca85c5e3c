/** A strict double of QingCloud with what tests need in it, and the driver in front of it. */
import type { InstanceId, SubnetId } from '../../src/cloud/cloud.ts';
import type { QingCloudOptions } from '../../src/cloud/qingcloud/options.ts';
import { qingCloud } from '../../src/cloud/qingcloud/qingcloud.ts';
import { qingcloud } from '../../src/vpc/qingcloud/front.ts';
import type { Switches } from '../../src/vpc/qingcloud/switches.ts';
import type { VpcOptions } from '../../src/vpc/start.ts';
import { type Reply, call as callAt, type TestVpc, testVpc } from '../vpc/support.ts';
import { eventually } from '../life/lab.ts';
import { type Parameters, signed } from './double.ts';
import { keyFile } from './key-file.ts';

/** Of a user. */
export interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** For calls that start several jobs one after the other: this process, which does those too, may be held up several times. */
export const PATIENCE_ms = 60_000;

/** The user of the ground, and the first of its keys. */
export const account = { owner: 'usr-driver01', accessKeyId: 'QYKEYFORTHEDRIVER', secretAccessKey: 'a-secret-that-nobody-may-see' };

export interface QingGround extends AsyncDisposable {
  readonly vpc: TestVpc;
  /** The double's API, with its path. */
  readonly endpoint: string;
  /** A file with the account's keys. */
  readonly keys: string;
  /** Counts, switches and faults of the double. */
  aside(method: string, path: string, body?: unknown): Promise<Reply>;
  /** An action of the account, by nobody's driver; its answer, which must be a success. */
  act(action: string, parameters?: Parameters): Promise<Reply['body']>;
  /** The same for one that starts a job; resolves when it ended well. */
  done(action: string, parameters: Parameters): Promise<Reply['body']>;
  /** Another driver, as after a restart. */
  driver(options?: Partial<QingCloudOptions>): ReturnType<typeof qingCloud>;
  subnet(cidr4: string, name: string): Promise<SubnetId>;
  launch(name: string, subnet: SubnetId): Promise<InstanceId>;
  /** With its first NIC. */
  terminate(instance: InstanceId): Promise<void>;
}

/** The double by itself; its jobs take no time unless asked for. `behind`: how the VPC behind it is. `further`: keys of the same user. */
export async function qingGround(
  switches: Partial<Switches> = {},
  behind: Partial<VpcOptions> = {},
  further: readonly Key[] = [],
): Promise<QingGround> {
  await using building = new AsyncDisposableStack();
  const front = qingcloud({
    listen: '127.0.0.1:0',
    accounts: [account, ...further.map((key) => ({ ...account, ...key }))],
    switches: { jobs_ms: [1, 20], ...switches },
  });
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
  const act: QingGround['act'] = async (action, parameters = {}) => {
    const { body } = await signed(origin, action, parameters, { key: account });
    if (body?.ret_code !== 0) throw new Error(`${action}: ${JSON.stringify(body)}`);
    return body;
  };
  const owned = building.move();
  return {
    vpc,
    act,
    async done(action, parameters) {
      const answer = await act(action, parameters);
      await eventually(`${action} is done`, async () => {
        const [{ status }] = (await act('DescribeJobs', { 'jobs.1': answer.job_id })).job_set;
        return status === 'successful';
      });
      return answer;
    },
    endpoint,
    keys,
    aside: (method, path, body) => callAt(origin, method, path, body),
    driver: (options = {}) =>
      drivers.use(qingCloud({ credentials: { from: 'file', path: keys }, endpoint, zone: 'pek3a', deadline_ms: PATIENCE_ms, ...options })),
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
