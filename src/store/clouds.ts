/** Which cloud there is, and how it is reached: a part of a standalone node's configuration, and of a controller's. Secrets are in none of it: it names where they are. */
import * as z from 'zod';
import { endpoint } from './schema-parts.ts';

const path = z.string().regex(/^\/./, 'an absolute path');

/** The address of an API, as whoever runs it tells it. No user and password in it: those would be shown wherever it is. */
const apiUrl = z.url({ abort: true, protocol: /^https?$/ }).refine((text) => {
  const { username, password, search, hash } = new URL(text);
  return [username, password, search, hash].every((part) => part === '');
}, 'the address of an API is http://HOST:PORT or https://HOST:PORT, perhaps with a path, and nothing behind it');

const releases =
  'false: take nothing back, neither addresses nor interfaces, and only say in the log which interfaces nobody owns. No address goes from node to node then: what an IPClaim has, or asks for, stays with the node that has it, and the Pod is told so';

const switches = {
  changes: z.boolean().default(true).describe('false: make no changing call at all'),
  releases: z.boolean().default(true).describe(releases),
  pace: z
    .int()
    .min(1)
    .max(100)
    .default(1)
    .describe(
      'for an account with higher limits: how many times as fast as usual calls may follow each other, which is 10 reads and 3 to 5 changes of a kind a second',
    ),
};

const mtu = z.int().min(1280).max(65_535);

const vpc = z.strictObject({
  type: z.literal('vpc').describe('the emulated VPC'),
  endpoint: endpoint.describe('where its API listens'),
  ...switches,
});

const loadBalancers = z.strictObject({
  subnet: z
    .string()
    .min(1)
    .max(256)
    .exactOptional()
    .describe('Neutron subnet of their addresses, or a pair ID4+ID6, unless annotation flatpod.dev/load-balancer-subnet names another'),
  floatingNetwork: z
    .string()
    .min(1)
    .max(64)
    .exactOptional()
    .describe(
      'external network of the floating IP that each gets, unless annotation flatpod.dev/load-balancer-internal is "true"; absent: none gets one',
    ),
  default: z
    .boolean()
    .default(false)
    .describe('whether Services without spec.loadBalancerClass are served too, not only those of class flatpod.dev/octavia'),
  provider: z.string().min(1).max(64).exactOptional().describe("Octavia's, such as amphora or ovn; absent: Octavia's default"),
  flavor: z.string().min(1).max(64).exactOptional().describe("id of Octavia's flavor"),
  algorithm: z
    .enum(['ROUND_ROBIN', 'LEAST_CONNECTIONS', 'SOURCE_IP', 'SOURCE_IP_PORT'])
    .default('ROUND_ROBIN')
    .describe('how a Pod is chosen; ovn has SOURCE_IP_PORT alone'),
  monitor: z.boolean().default(true).describe('whether Octavia looks itself whether Pods answer'),
});

const openstack = z.strictObject({
  type: z.literal('openstack').describe('Neutron and Nova, with the account that OS_* or clouds.yaml names'),
  cloud: z.string().min(1).max(256).exactOptional().describe('an entry of clouds.yaml; absent: OS_CLOUD, or else the variables OS_*'),
  cloudsFile: path
    .exactOptional()
    .describe('clouds.yaml; absent: OS_CLIENT_CONFIG_FILE or the usual places. secure.yaml beside it is read too'),
  nicsPerInstance: z
    .int()
    .min(1)
    .max(64)
    .default(8)
    .describe('interfaces of a server, unless its flavor says flatpod:nics; Nova does not tell'),
  pairsPerNic: z.int().min(1).max(10_000).default(10).describe("Neutron's max_allowed_address_pair, which it does not tell"),
  branchesPerInstance: z
    .int()
    .min(1)
    .max(4094)
    .exactOptional()
    .describe('branches of a server (trunk subports), unless its flavor says flatpod:branches; absent: none'),
  loadBalancers: loadBalancers.exactOptional().describe('Services of type LoadBalancer by Octavia; absent: they are left to others'),
  ...switches,
});

const aws = z.strictObject({
  type: z.literal('aws').describe("EC2, with the keys of AWS's own variables, files, web identity, Pod Identity or instance role"),
  region: z.string().min(1).max(64).exactOptional().describe("absent: AWS_REGION, AWS_DEFAULT_REGION, the profile's, the instance's"),
  vpc: z.string().min(1).max(64).exactOptional().describe('absent: the one that the controller’s own instance is in'),
  profile: z.string().min(1).max(256).exactOptional().describe('of the shared files; absent: AWS_PROFILE or default'),
  credentialsFile: path
    .exactOptional()
    .describe('with the keys, such as one from a Secret; absent: AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials'),
  endpoint: apiUrl.exactOptional().describe("where EC2 listens; absent: AWS_ENDPOINT_URL_EC2, AWS_ENDPOINT_URL, or the region's"),
  stsEndpoint: apiUrl.exactOptional().describe("where STS listens; absent: AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, or the region's"),
  caFile: path
    .exactOptional()
    .describe(
      "certificates in PEM by which the endpoints are known, instead of the system's; read again when it changes; absent: AWS_CA_BUNDLE",
    ),
  branches: z
    .record(z.string().min(1).max(64), z.int().min(1).max(4094))
    .default({})
    .describe('how many branches instances of a type may have, by type; EC2 does not tell. Types that are not named have none'),
  mtu: mtu.default(9001).describe('of the network'),
  ...switches,
});

const qingcloud = z.strictObject({
  type: z.literal('qingcloud').describe('QingCloud, public or private'),
  zone: z.string().min(1).max(64).exactOptional().describe('such as pek3a; absent: what the file or QINGCLOUD_ZONE says'),
  endpoint: apiUrl
    .exactOptional()
    .describe('with the path that is signed; absent: what the file says, or https://api.qingcloud.com:443/iaas'),
  caFile: path
    .exactOptional()
    .describe("certificates in PEM by which the API is known, instead of the system's; read again when it changes"),
  credentials: z
    .enum(['file', 'environment', 'role'])
    .default('file')
    .describe('where the keys are: credentialsFile, QINGCLOUD_ACCESS_KEY_ID and QINGCLOUD_SECRET_ACCESS_KEY, or the role of the instance'),
  credentialsFile: path.default('/root/.qingcloud/config.yaml').describe('as QingCloud’s own programs read it; read again when it changes'),
  router: z.string().min(1).max(64).exactOptional().describe("the VPC's router, where the account has several"),
  owner: z.string().min(1).max(64).exactOptional().describe("the account's id: nobody else's interfaces are looked at"),
  nicsPerInstance: z.int().min(1).max(63).default(63).describe('interfaces of an instance, its first included'),
  vipsPerVxnet: z.int().min(1).max(65_536).default(253).describe('addresses of a vxnet that may be reserved'),
  longestName: z.int().min(64).max(4096).default(255).describe("characters that an interface's or a reservation's name may have"),
  nameFilter: z
    .enum(['whole', 'part'])
    .default('whole')
    .describe('what the filter nic_name finds here: only that name, or also names that begin so, which saves calls'),
  allowSpoofing: z
    .boolean()
    .exactOptional()
    .describe("what new interfaces' enable_aspoof is set to, where that decides whether Pods' addresses pass; absent: the cloud's default"),
  adoptVips: z
    .string()
    .min(1)
    .max(64)
    .exactOptional()
    .describe(
      "what reservations of a former plugin are named by, such as hostnic_: where a PodSubnet's own blocks (spec.within) are full, their addresses that are so reserved are taken over; absent: none is",
    ),
  tags: z
    .array(z.string().min(1).max(64))
    .max(20)
    .default([])
    .describe('ids of tags of the account that new interfaces get; they must exist'),
  securityGroup: z
    .string()
    .min(1)
    .max(64)
    .exactOptional()
    .describe(
      "id of the security group that nodes' instances have: rules are added to it that let Pods' vxnets in, and applied; absent: it is left alone",
    ),
  mtu: mtu.default(1500).describe('of the vxnets, which the API does not tell'),
  ...switches,
});

const none = z.strictObject({
  type: z.literal('none').describe('no cloud: every PodSubnet has a range'),
  changes: z.boolean().default(true).describe('false: give nothing, and take nothing back'),
  releases: z.boolean().default(true).describe(releases),
});

/** Which cloud there is, and how it is reached. */
export const cloud = z.discriminatedUnion('type', [vpc, openstack, aws, qingcloud, none]);

/** A cloud that was read, defaults filled in. */
export type CloudConfig = z.infer<typeof cloud>;
/** How Services of type LoadBalancer are served. */
export type LoadBalancerConfig = z.infer<typeof loadBalancers>;
