/** The servers of the emulated VPC that a controller is put in front of: its own API, EC2's and QingCloud's. */
import type { Cloud, InstanceId, SubnetId } from '../../src/cloud/cloud.ts';
import { vpcCloud } from '../../src/cloud/vpc/vpc.ts';
import { awsBed, variables } from '../aws/ground.ts';
import type { Dialect, Reply } from '../cloud/fault-proxy.ts';
import { qingCloudDialect } from '../qingcloud/dialect.ts';
import { qingGround } from '../qingcloud/ground.ts';
import { type TestVpc, testVpc } from '../vpc/support.ts';

/** A cloud with an empty subnet, and machines to be had in it. */
export interface Site extends AsyncDisposable {
  /** `http://HOST:PORT` of the server, before which the proxy stands. */
  readonly server: string;
  /** 10.20.0.0/24. */
  readonly subnet: SubnetId;
  /** A driver that knows nothing of what others did, at the server or at a proxy before it; so long each of its calls may take. */
  driver(url: string, patience_ms?: number): Cloud & Disposable;
  /** Interfaces take so long to be attached from now on, in time of the clock or of the machine. Absent: attaching is one call, which lasts until it is done. */
  readonly slowAttach?: (ms: number) => Promise<void>;
  /** What a controller that is a process of its own is configured with, to use the server or the proxy at that address. */
  configured(url: string): Configured;
  launch(name: string): Promise<InstanceId>;
  /** One whose own interface is in another subnet: where that one has more room than any test's Pods need. Absent: it has not. */
  launchElsewhere?(name: string): Promise<InstanceId>;
  terminate(instance: InstanceId): Promise<void>;
}

/** As in a ControllerConfig's `spec.cloud`, and the environment besides. */
export interface Configured {
  readonly cloud: object;
  readonly env: Readonly<Record<string, string>>;
}

/** How large its machines are: interfaces, and addresses of each with its own. */
export const sizes = {
  small: { type: 'v1.small', nics: 2, slots: 4 },
  large: { type: 'v1.xlarge', nics: 8, slots: 30 },
  branching: { type: 't9.branching', nics: 3, slots: 4 },
} as const;
export type Size = keyof typeof sizes;
/** On one trunk, where machines of that size can have any. */
const BRANCHES = 6;

/** A kind of server, and how its calls look on the wire. */
export interface Kind {
  readonly name: string;
  readonly dialect: Dialect;
  /** `now_ms`: the clock of those parts that can be given one. `isDual`: the subnet has 2001:db8:20::/64 too, where the cloud has IPv6. */
  open(now_ms: () => number, size: Size, isDual?: boolean): Promise<Site>;
}

const CIDR6 = '2001:db8:20::/64';
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

/** No type that comes with the VPC has trunks. */
async function withBranches(vpc: TestVpc): Promise<void> {
  const { type, nics, slots } = sizes.branching;
  const body = { nics, addressSlotsPerNic: slots, ipv6SlotsPerNic: slots, branches: BRANCHES };
  const { status } = await vpc.call('PUT', `/v1/instance-types/${type}`, body);
  if (status >= 300) throw new Error(`${type}: ${status}`);
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
    denied: (name) => json(403, { error: { reason: 'AccessDenied', message: `not permitted: ${name}`, remedy: '', requestId: 'proxy' } }),
    withoutSubnets: (name) => (name === 'GET /v1/subnets' ? JSON.stringify({ items: [] }) : undefined),
  },
  async open(_, size, isDual = false) {
    const vpc = await testVpc();
    if (size === 'branching') await withBranches(vpc);
    const subnet = await made(vpc, '/v1/subnets', { name: 'a', zone: 'z1', cidr4: '10.20.0.0/24', ...(isDual && { cidr6: CIDR6 }) });
    return {
      server: vpc.url,
      subnet: subnet as SubnetId,
      driver: (endpoint, patience_ms = deadline_ms) => vpcCloud({ endpoint, deadline_ms: patience_ms }),
      configured: (endpoint) => ({ cloud: { type: 'vpc', endpoint }, env: {} }),
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
    isQuestion: ({ body }) => /[&=]eni-0{17}(&|$)|(^|&)DryRun=true(&|$)/.test(body),
    throttled: () => ({
      status: 503,
      headers: { 'content-type': 'text/xml;charset=UTF-8' },
      text: '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error></Errors><RequestID>00000000-0000-4000-8000-000000000001</RequestID></Response>',
    }),
    denied: (name) => ({
      status: 403,
      headers: { 'content-type': 'text/xml;charset=UTF-8' },
      text: `<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform: ec2:${name}</Message></Error></Errors><RequestID>00000000-0000-4000-8000-000000000001</RequestID></Response>`,
    }),
    withoutSubnets: (_name, text) =>
      text.includes('<subnetSet>') ? text.replace(/<subnetSet>.*<\/subnetSet>/s, '<subnetSet/>') : undefined,
  },
  async open(now_ms, size, isDual = false) {
    const bed = await awsBed({ branches: { [sizes.branching.type]: BRANCHES } }, { now_ms });
    if (size === 'branching') await withBranches(bed.vpc);
    const subnet = await bed.subnet('10.20.0.0/24', isDual ? { cidr6: CIDR6 } : {});
    return {
      server: bed.url,
      subnet,
      driver: (endpoint, patience_ms = deadline_ms) => bed.driver({ endpoint, now_ms, deadline_ms: patience_ms }),
      slowAttach: async (ms) => void (bed.front.lag.attach_ms = ms),
      configured: (endpoint) => ({ cloud: { type: 'aws', region: 'eu-west-1', vpc: bed.vpcId, endpoint }, env: variables }),
      ...machines(bed.vpc, subnet, sizes[size].type, (id) => id),
      [Symbol.asyncDispose]: () => bed[Symbol.asyncDispose](),
    };
  },
};

const qingcloud: Kind = {
  name: 'qingcloud',
  dialect: qingCloudDialect,
  async open(_, size) {
    const { type, nics, slots } = sizes[size];
    const ground = await qingGround({ jobs_ms: [1, 5] });
    const { origin, pathname } = new URL(ground.endpoint);
    const subnet = await ground.subnet('10.20.0.0/24', 'a');
    const [own = ''] = (await ground.vpc.call('GET', '/v1/subnets')).body.items.map(({ id }: { id: string }) => id);
    const elsewhereId = await made(ground.vpc, '/v1/subnets', { name: 'b', zone: 'pek3a', cidr4: '10.20.1.0/24' });
    const sized = size === 'small' ? 'v1.medium' : type;
    const here = machines(ground.vpc, own, sized, (id) => `i-${id.slice(-8)}`);
    const elsewhere = machines(ground.vpc, elsewhereId, sized, (id) => `i-${id.slice(-8)}`);
    return {
      server: origin,
      subnet,
      driver: (url, patience_ms = deadline_ms) =>
        ground.driver({
          endpoint: `${url}${pathname}`,
          nicsPerInstance: nics,
          addressSlotsPerNic: slots,
          deadline_ms: patience_ms,
          readDeadline_ms: patience_ms,
        }),
      configured: (url) => ({
        cloud: { type: 'qingcloud', endpoint: `${url}${pathname}`, zone: 'pek3a', credentialsFile: ground.keys, nicsPerInstance: nics },
        env: {},
      }),
      ...here,
      launchElsewhere: elsewhere.launch,
      [Symbol.asyncDispose]: () => ground[Symbol.asyncDispose](),
    };
  },
};

/** Those that need nothing but this repository. */
export const fronts: readonly Kind[] = [emulated, ec2, qingcloud];
