/**
 * Driver for AWS: EC2's query API as a Cloud. How its refusals are read: docs/clouds/aws.md; why no SDK: docs/adr/0021-own-ec2-client.md.
 *
 * Invariants
 * - a changing call is sent once: whether to repeat it is the controller's decision; but what a new interface is made with is asked for until EC2 knows that
 * - a change of several calls has one deadline; when one of them fails, what the others did is undone, or said to be unclear
 * - what EC2's codes leave open is read back, and never guessed from their words
 */
import type { Ip } from '../../net/address.ts';
import { askedLately } from '../asked-lately.ts';
import type { Cloud } from '../cloud.ts';
import { areTags } from '../named.ts';
import { connectionsBy } from '../wire/ca-file.ts';
import { usualGateway6 } from './answers.ts';
import { assign, unassign } from './assign.ts';
import { assignWithin } from './within.ts';
import { attachBranch } from './branches.ts';
import { createNic, deleteNic } from './create.ts';
import { keyring } from './credentials/chain.ts';
import { ec2Of } from './ec2.ts';
import { knownNics } from './known-nics.ts';
import { missingPermissions } from './permissions.ts';
import { type Place, placeOf } from './place.ts';
import { attachNic, detachNic } from './plug.ts';
import { instances, type Limits, network, nics, subnets, taggedSubnets } from './read.ts';
import { type Aws, ours } from './surroundings.ts';
import { vpcOfInstance } from './own-vpc.ts';

/** What the driver must be told, which is little: AWS's own variables, files and metadata tell the rest. */
export interface AwsOptions {
  /** Absent: AWS_REGION, AWS_DEFAULT_REGION, the profile, the instance's metadata. */
  readonly region?: string;
  /** The VPC; absent: the one that this instance is in, by its metadata. */
  readonly vpc?: string;
  /** Where EC2 and STS listen; absent: AWS_ENDPOINT_URL_EC2, AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, the region's. */
  readonly endpoint?: string;
  readonly stsEndpoint?: string;
  /** The profile of the shared files; absent: AWS_PROFILE, `default`. */
  readonly profile?: string;
  /** The file with the keys, such as one mounted from a Secret; absent: AWS_SHARED_CREDENTIALS_FILE, ~/.aws/credentials. */
  readonly credentialsFile?: string;
  /** Path of certificates in PEM by which the endpoints are known, instead of the system's; read again when it changes. Absent: AWS_CA_BUNDLE. */
  readonly caFile?: string;
  /** Branches that an instance of that type may have on its trunk; types that are not named have none. EC2 does not tell. */
  readonly branches?: Readonly<Record<string, number>>;
  /** Of the network; 9001 unless said otherwise, as in every VPC. EC2 does not tell. */
  readonly mtu?: number;
  /** The router's IPv6 address, where it is not that of every VPC. */
  readonly gateway6?: Ip;
  /** How long one call may take in all, also one that needs several of EC2's. */
  readonly deadline_ms?: number;
  /** The process's environment unless another one is given. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The wall clock, by which requests are signed and keys expire. */
  readonly now_ms?: () => number;
}

/** AWS as a cloud, which can be asked what its keys may do. */
export type AwsCloud = Cloud & Disposable & Required<Pick<Cloud, 'missingPermissions'>>;

/** AWS as a cloud. Dispose of it to close its idle connections. */
export function awsCloud(options: AwsOptions): AwsCloud {
  const { deadline_ms = 10_000, mtu = 9001, gateway6 = usualGateway6, branches = {}, env = process.env, now_ms = Date.now } = options;
  const kept = connectionsBy(options.caFile ?? (env['AWS_CA_BUNDLE'] || undefined));
  const place = once((): Promise<Place> => placeOf({ ...options, env }, kept));
  const { profile, credentialsFile } = options;
  const around = {
    env,
    connections: kept,
    ...(profile !== undefined && { profile }),
    ...(credentialsFile !== undefined && { credentialsFile }),
    sts: async () => {
      const { sts, region } = await place();
      return { endpoint: sts, region };
    },
  };
  const aws: Aws = {
    ec2: ec2Of(kept, keyring(around, now_ms), place, { deadline_ms, now_ms }),
    known: knownNics(now_ms),
    asked: askedLately(now_ms),
    hasIpv6: new Map(),
    branches,
  };
  const limits: Limits = new Map();
  const vpc = once(async () => options.vpc ?? (await vpcOfInstance(env, kept)));
  return {
    name: 'aws',
    network: async () => network(await vpc(), aws),
    async instance(id) {
      const [found] = await instances([id], limits, aws);
      if (found === undefined) throw ours('notFound', 'DescribeInstances', id, 'it is in no list');
      return found;
    },
    instances: (ids) => instances(ids, limits, aws),
    subnets: (named) => (areTags(named) ? taggedSubnets(named, vpc, gateway6, aws) : subnets(named, gateway6, aws)),
    nics: (filter) => nics(filter, mtu, aws),
    createNic: (request) => createNic(request, mtu, aws),
    attachNic: (nic, instance, deviceIndex) => attachNic(nic, instance, deviceIndex, aws),
    attachBranch: (nic, trunk, vlan) => attachBranch(nic, trunk, vlan, aws),
    detachNic: (nic) => detachNic(nic, aws),
    deleteNic: (nic) => deleteNic(nic, aws),
    assign: (nic, want) =>
      want.within === undefined ? assign(nic, want, aws) : assignWithin(nic, { ...want, within: want.within }, aws, aws.ec2.deadline()),
    unassign: (nic, blocks) => unassign(nic, blocks, aws),
    missingPermissions: async ([subnet = '']) => missingPermissions(await vpc(), subnet, aws),
    [Symbol.dispose]: () => kept.close(),
  };
}

/** Asks until there was an answer, and then no more. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => {
    answer ??= ask().catch((error: unknown) => {
      answer = undefined;
      throw error;
    });
    return answer;
  };
}
