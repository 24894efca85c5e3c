/** The servers of the emulated VPC that a controller is put in front of: its own API, EC2's and QingCloud's. */
import type { Cloud, InstanceId, SubnetId } from '../../src/cloud/cloud.ts';
import { vpcCloud } from '../../src/cloud/vpc/vpc.ts';
import { awsBed } from '../aws/ground.ts';
import type { Dialect, Reply } from '../cloud/fault-proxy.ts';
import { qingGround } from '../qingcloud/ground.ts';
import { type TestVpc, testVpc } from '../vpc/support.ts';

/** A cloud with an empty subnet, and machines to be had in it. */
export interface Site extends AsyncDisposable {
  /** `http://HOST:PORT` of the server, before which the proxy stands. */
  readonly server: string;
  /** 10.20.0.0/24. */
  readonly subnet: SubnetId;
  /** A driver that knows nothing of what others did, at the server or at a proxy before it. */
  driver(url: string): Cloud & Disposable;
  launch(name: string): Promise<InstanceId>;
  terminate(instance: InstanceId): Promise<void>;
}

/** How large its machines are: interfaces, and addresses of each with its own. */
export const sizes = {
  small: { type: 'v1.small', nics: 2, slots: 4 },
  large: { type: 'v1.xlarge', nics: 8, slots: 30 },
} as const;
export type Size = keyof typeof sizes;

/** A kind of server, and how its calls look on the wire. */
export interface Kind {
  readonly name: string;
  readonly dialect: Dialect;
  /** `now_ms`: the clock of those parts that can be given one. */
  open(now_ms: () => number, size: Size): Promise<Site>;
}

/** Patience of a call, in real time: others may want the machine. */
const deadline_ms = 20_000;
const json = (status: number, body: object): Reply => ({
  status,
  headers: { 'content-type': 'application/json' },
  text: JSON.stringify(body),
});

async function made(vpc: TestVpc, path: string, body: object): Promise<string> {
  const answer = await vpc.call('POST', path, body);
  if (answer.status !== 201) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
  return answer.body.id;
}

/** Instances by the VPC's own API, whatever its front calls them. */
function machines(vpc: TestVpc, subnet: string, type: string, spelled: (id: string) => string): Pick<Site, 'launch' | 'terminate'> {
  const ids = new Map<InstanceId, string>();
  return {
    async launch(name) {
      const id = await made(vpc, '/v1/instances', { name, type, subnet });
      // Brands are given where the cloud gives the ids.
      const shown = spelled(id) as InstanceId;
      ids.set(shown, id);
      return shown;
    },
    async terminate(instance) {
      await vpc.call('DELETE', `/v1/instances/${ids.get(instance)}`);
    },
  };
}

const emulated: Kind = {
  name: 'vpc',
  dialect: {
    nameOf: ({ method, path }) => `${method} ${path.replace(/\?.*/, '').replaceAll(/[a-z]+-[0-9a-f]{8,}/g, ':id')}`,
    isRead: (name) => name.startsWith('GET'),
    throttled: () => json(429, { error: { reason: 'Throttled', message: 'too many calls', remedy: 'wait a little', requestId: 'proxy' } }),
  },
  async open(_, size) {
    const vpc = await testVpc();
    const subnet = await made(vpc, '/v1/subnets', { name: 'a', zone: 'z1', cidr4: '10.20.0.0/24' });
    return {
      server: vpc.url,
      subnet: subnet as SubnetId,
      driver: (endpoint) => vpcCloud({ endpoint, deadline_ms }),
      ...machines(vpc, subnet, sizes[size].type, (id) => id),
      [Symbol.asyncDispose]: () => vpc[Symbol.asyncDispose](),
    };
  },
};

const ec2: Kind = {
  name: 'aws',
  dialect: {
    nameOf: ({ body }) => /(?:^|&)Action=(\w+)/.exec(body)?.[1] ?? '',
    isRead: (name) => name.startsWith('Describe'),
    throttled: () => ({
      status: 503,
      headers: { 'content-type': 'text/xml;charset=UTF-8' },
      text: '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error></Errors><RequestID>00000000-0000-4000-8000-000000000001</RequestID></Response>',
    }),
  },
  async open(now_ms, size) {
    const bed = await awsBed({}, { now_ms });
    const subnet = await bed.subnet('10.20.0.0/24');
    return {
      server: bed.url,
      subnet,
      driver: (endpoint) => bed.driver({ endpoint, now_ms, deadline_ms }),
      ...machines(bed.vpc, subnet, sizes[size].type, (id) => id),
      [Symbol.asyncDispose]: () => bed[Symbol.asyncDispose](),
    };
  },
};

const qingcloud: Kind = {
  name: 'qingcloud',
  dialect: {
    nameOf: ({ path, body }) => /[?&]action=(\w+)/.exec(`${path}&${body}`)?.[1] ?? '',
    isRead: (name) => name.startsWith('Describe'),
    sameness: ({ path, body }) => `${path} ${body}`.replaceAll(/(time_stamp|signature)=[^&\s]*/g, ''),
    throttled: (name) => json(200, { action: `${name}Response`, ret_code: 2500, message: 'request rate exceeded' }),
  },
  async open(_, size) {
    const { type, nics, slots } = sizes[size];
    const ground = await qingGround({ jobs_ms: [1, 5] });
    const { origin, pathname } = new URL(ground.endpoint);
    const subnet = await ground.subnet('10.20.0.0/24', 'a');
    const [own = ''] = (await ground.vpc.call('GET', '/v1/subnets')).body.items.map(({ id }: { id: string }) => id);
    return {
      server: origin,
      subnet,
      driver: (url) =>
        ground.driver({
          endpoint: `${url}${pathname}`,
          nicsPerInstance: nics,
          addressSlotsPerNic: slots,
          deadline_ms,
          readDeadline_ms: deadline_ms,
        }),
      ...machines(ground.vpc, own, size === 'small' ? 'v1.medium' : type, (id) => `i-${id.slice(-8)}`),
      [Symbol.asyncDispose]: () => ground[Symbol.asyncDispose](),
    };
  },
};

/** Those that need nothing but this repository. */
export const fronts: readonly Kind[] = [emulated, ec2, qingcloud];
