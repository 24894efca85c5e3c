/** Which cloud's API the agents of the demo speak: that of the emulated VPC itself, or another one in front of it. */
import { failure } from '../../errors/failure.ts';
import { instanceId, vxnetId } from '../../vpc/qingcloud/ids.ts';

/** A cloud as the demo shows it. */
export interface DemoCloud {
  readonly name: string;
  /** Further arguments of `flatpod vpc`. */
  readonly vpc: readonly string[];
  /** Where its API listens on loopback; none: agents reach the VPC's socket. */
  readonly ports: readonly number[];
  /** `spec.cloud` of a node's configuration; `url`: where the VPC's own API listens. */
  readonly spec: (url: string) => object;
  /** The account, as variables of the agents. */
  readonly env: Readonly<Record<string, string>>;
  /** Ids as this API spells those of the VPC. */
  readonly instance: (id: string) => string;
  readonly subnet: (id: string) => string;
}

const same = (id: string): string => id;
const EC2_PORT = 9461;
const QINGCLOUD_PORT = 9462;
/** Known to everybody, and good for nothing but the fronts, which are started with them. */
const key = { id: 'AKIAFLATPODDEMO00000', secret: 'the-demo-has-no-secrets' };

const clouds: readonly DemoCloud[] = [
  { name: 'vpc', vpc: [], ports: [], spec: (endpoint) => ({ type: 'vpc', endpoint }), env: {}, instance: same, subnet: same },
  {
    name: 'aws',
    vpc: ['--ec2', `127.0.0.1:${EC2_PORT}`, '--ec2-key', `${key.id}:${key.secret}`],
    ports: [EC2_PORT],
    // Region and VPC are told by the metadata inside the instance. The VPC's network has the MTU of all else here.
    spec: () => ({ type: 'aws', endpoint: `http://127.0.0.1:${EC2_PORT}`, mtu: 1500 }),
    env: { AWS_ACCESS_KEY_ID: key.id, AWS_SECRET_ACCESS_KEY: key.secret },
    instance: same,
    subnet: same,
  },
  {
    name: 'qingcloud',
    vpc: ['--qingcloud', `127.0.0.1:${QINGCLOUD_PORT}`, '--qingcloud-key', `${key.id}:${key.secret}`],
    ports: [QINGCLOUD_PORT],
    spec: () => ({ type: 'qingcloud', zone: 'pek3a', endpoint: `http://127.0.0.1:${QINGCLOUD_PORT}/iaas`, credentials: 'environment' }),
    env: { QINGCLOUD_ACCESS_KEY_ID: key.id, QINGCLOUD_SECRET_ACCESS_KEY: key.secret },
    instance: instanceId,
    subnet: (id) => vxnetId({ id }),
  },
];

/** @throws Failure badOption. */
export function tryCloud(name: string): DemoCloud {
  const found = clouds.find((one) => one.name === name);
  if (found === undefined)
    throw failure('badOption', { option: '--cloud', value: name, remedy: `write one of ${clouds.map((one) => one.name).join(', ')}` });
  return found;
}
