/** Objects that are wrong, each with what must be said about it: by our own schemas, and by the API server where its CRDs can say it. */
import { ipClaimSpec } from '../../src/store/ip-claim.ts';
import { checkSubnet } from '../../src/store/cross-checks.ts';
import { podSubnet } from '../../src/store/pod-subnet.ts';

/** One mistake. Each pattern holds for the whole of what is said. */
export interface WrongObject {
  readonly what: string;
  readonly kind: 'PodSubnet' | 'IPClaim';
  readonly spec: Readonly<Record<string, unknown>>;
  /** The field, by the API server and by us. */
  readonly field: RegExp;
  /** What the API server says to do. */
  readonly remedy: RegExp;
}

const subnet = (what: string, spec: object, field: RegExp, remedy: RegExp): WrongObject => ({
  what,
  kind: 'PodSubnet',
  spec: { cloudSubnet: 's-1', ...spec },
  field,
  remedy,
});
const claim = (what: string, spec: object, field: RegExp, remedy: RegExp): WrongObject => ({
  what,
  kind: 'IPClaim',
  spec: { ...spec },
  field,
  remedy,
});

const range = { parent: 'eth1', ipv4: { cidr: '10.0.0.0/24' } };
const ranged = (what: string, spec: object, field: RegExp, remedy: RegExp): WrongObject =>
  subnet(what, { cloudSubnet: undefined, datapath: 'macvlan', range, ...spec }, field, remedy);

/** All of them. */
export const wrongObjects: readonly WrongObject[] = [
  subnet('neither cloud subnet nor range', { cloudSubnet: undefined }, /spec\.cloudSubnet/, /or write range for a network without one/),
  subnet('both cloud subnet and range', { range, datapath: 'macvlan' }, /spec\.cloudSubnet/, /one of them/),
  ranged('the default datapath with a range', { datapath: undefined }, /spec\.datapath/, /write one of them/),
  ranged('prefixes of a range', { unit: 'prefix' }, /spec\.(range|unit)/, /leave them out/),
  ranged('most interfaces of a range', { perNode: { interfaces: 2 } }, /spec\.(range|perNode\.interfaces)/, /leave them out/),
  ranged('security groups of a range', { securityGroups: ['sg-1'] }, /spec\.(range|securityGroups)/, /leave them out/),
  ranged('a family that the range lacks', { families: [4, 6] }, /spec\.(families|range\.ipv6)/, /add what is missing, or correct families/),
  ranged('a family that Pods do not get', { families: [6] }, /spec\.(families|range\.ipv[46])/, /add what is missing, or correct families/),
  ranged(
    'a gateway elsewhere',
    { range: { parent: 'eth1', ipv4: { cidr: '10.0.0.0/24', gateway: '10.0.1.1' } } },
    /spec\.range\.ipv4\.gateway/,
    /correct one of them/,
  ),
  ranged('the wrong family', { range: { parent: 'eth1', ipv4: { cidr: 'fd00::/64' } } }, /spec\.range\.ipv4\.cidr/, /write it below ipv6/),
  ranged(
    'a path for an interface',
    { range: { parent: 'eth1/a', ipv4: { cidr: '10.0.0.0/24' } } },
    /spec\.range\.parent/,
    /at most 15 characters/,
  ),
  subnet(
    'a floor above the ceiling',
    { warm: { minimum: 9 }, perNode: { maximum: 8 } },
    /spec\.warm\.minimum/,
    /lower it, or raise perNode\.maximum/,
  ),
  subnet(
    'more spare than the ceiling',
    { warm: { spare: 9 }, perNode: { maximum: 8 } },
    /spec\.warm\.spare/,
    /lower it, or raise perNode\.maximum/,
  ),
  subnet(
    'prefixes that never fit',
    { unit: 'prefix', perNode: { maximum: 15 } },
    /spec\.perNode\.maximum/,
    /raise it to 16 or more, or write unit: address/,
  ),
  subnet(
    'subnets by ids and by tags',
    { cloudSubnet: undefined, cloudSubnets: { ids: ['a'], tags: { a: 'b' } } },
    /spec\.cloudSubnets/,
    /not by both/,
  ),
  subnet('subnets by nothing', { cloudSubnet: undefined, cloudSubnets: {} }, /spec\.cloudSubnets/, /name subnets by ids or by tags/),
  subnet('subnets by no tag', { cloudSubnet: undefined, cloudSubnets: { tags: {} } }, /spec\.cloudSubnets\.tags/, /at least one tag/),
  subnet(
    'the addressing of one cloud, and subnets that are found as another finds them',
    { cloudSubnet: undefined, cloudSubnets: { tags: { a: 'b' } }, addressing: 'ports' },
    /spec\.addressing/,
    /write cloudSubnets\.ids, or leave it out/,
  ),
  subnet('a subnet and several', { cloudSubnets: { ids: ['a'] } }, /spec\.cloudSubnet/, /one of them/),
  subnet(
    'most interfaces where each Pod has one',
    { datapath: 'nic', perNode: { interfaces: 2 } },
    /spec\.perNode\.interfaces/,
    /write perNode\.maximum/,
  ),
  subnet('no interface', { perNode: { interfaces: 0 } }, /spec\.perNode\.interfaces/, /greater than or equal to 1/),
  subnet('a unit that there is not', { unit: 'block' }, /spec\.unit/, /supported values: "address", "prefix"/),
  subnet('a mode of another datapath', { datapath: 'macvlan', mode: 'l3' }, /spec\.mode/, /write one of those, or leave it out/),
  subnet('a mode without a datapath that has any', { mode: 'bridge' }, /spec\.mode/, /write one of those, or leave it out/),
  subnet('a fallback to itself', { datapath: 'ipvlan', fallback: 'ipvlan' }, /spec\.fallback/, /change it, or leave it out/),
  subnet('prefixes where each Pod has a whole interface', { datapath: 'nic', unit: 'prefix' }, /spec\.unit/, /leave it out/),
  subnet('a family twice', { families: [4, 4] }, /spec\.families/, /Duplicate value: 4/),
  subnet('a family that there is not', { families: [5] }, /spec\.families\[0\]/, /supported values: "4", "6"/),
  subnet('no family', { families: [] }, /spec\.families/, /at least 1 items/),
  subnet(
    'less for the cluster than for a node',
    { perCluster: { maximum: 20 } },
    /spec\.perCluster\.maximum/,
    /raise it, or lower perNode\.maximum/,
  ),
  subnet('assignable and default', { assignable: true, default: true }, /spec\.default/, /remove one of them/),
  subnet(
    'assignable with namespaces',
    { assignable: true, namespaces: ['a'] },
    /spec\.(assignable|namespaces)/,
    /remove them, or assignable/,
  ),
  subnet(
    'assignable with a selector',
    { assignable: true, podSelector: {} },
    /spec\.(assignable|podSelector)/,
    /remove them, or assignable/,
  ),
  subnet(
    'assignable with service accounts',
    { assignable: true, serviceAccountSelector: {} },
    /spec\.(assignable|serviceAccountSelector)/,
    /remove them, or assignable/,
  ),
  subnet('a namespace that is no name', { namespaces: ['Web!'] }, /spec\.namespaces\[0\]/, /lower-case letters, digits/),
  subnet(
    'host bits in a block',
    { exclude: ['10.0.0.1', '10.0.0.1/24'] },
    /spec\.exclude\[1\]/,
    /such as 10\.20\.0\.0\/24 \(host bits must be zero\)/,
  ),
  subnet('a negative count', { warm: { spare: -1 } }, /spec\.warm\.spare/, /greater than or equal to 0/),
  subnet('a text for a number', { priority: 'high' }, /spec\.priority/, /must be of type integer: "string"/),
  subnet(
    'a selector with an operator that there is not',
    { nodeSelector: { matchExpressions: [{ key: 'a', operator: 'Gt', values: ['1'] }] } },
    /spec\.nodeSelector\.matchExpressions\[0\]\.operator/,
    /supported values: "In", "NotIn", "Exists", "DoesNotExist"/,
  ),
  subnet(
    'In without values',
    { podSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } },
    /spec\.podSelector\.matchExpressions\[0\]\.values/,
    /add one, or write Exists or DoesNotExist/,
  ),
  subnet(
    'Exists with values',
    { namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'Exists', values: ['b'] }] } },
    /spec\.namespaceSelector\.matchExpressions\[0\]\.values/,
    /leave it out, or write In or NotIn/,
  ),
  subnet(
    'a requirement for a key that is none',
    { podSelector: { matchExpressions: [{ key: 'a/b/c', operator: 'Exists' }] } },
    /spec\.podSelector\.matchExpressions\[0\]\.key/,
    /write it like app or example\.com\/app/,
  ),
  subnet(
    'a label key that is none',
    { podSelector: { matchLabels: { 'a b': 'c' } } },
    /spec\.podSelector\.matchLabels/,
    /write keys like app or example\.com\/app/,
  ),
  subnet(
    'a label value that is none',
    { podSelector: { matchLabels: { a: '-' } } },
    /spec\.podSelector\.matchLabels.*a\b/,
    /a label value has letters, digits/,
  ),
  claim('for nobody', {}, /spec/, /give either pod, the name of one Pod, or podSelector/),
  claim('for a Pod and for others', { pod: 'db-0', podSelector: {} }, /spec/, /give either pod, the name of one Pod, or podSelector/),
  claim('a range for one Pod', { pod: 'db-0', count: 2 }, /spec\.count/, /must be 1 with pod/),
  claim('more addresses than Pods', { pod: 'db-0', addresses: ['10.0.0.1', '10.0.0.2'] }, /spec\.addresses/, /raise count, or remove some/),
  claim('an address twice', { podSelector: {}, count: 2, addresses: ['10.0.0.1', '10.0.0.1'] }, /spec\.addresses/, /Duplicate value/),
  claim('an address that is none', { pod: 'db-0', addresses: ['10.0.0.256'] }, /spec\.addresses\[0\]/, /such as 10\.20\.0\.17/),
  claim(
    'more of IPv6 than Pods',
    { pod: 'db-0', addresses: ['10.0.0.1', 'fd00::1', 'fd00::2'] },
    /spec\.addresses/,
    /more of IPv6 than count/,
  ),
  claim('TTL without a time', { pod: 'db-0', reclaim: 'TTL' }, /spec\.ttl_s/, /add it, or remove it/),
  claim('a time without TTL', { pod: 'db-0', ttl_s: 60 }, /spec\.ttl_s/, /add it, or remove it/),
  claim(
    'a way to reclaim that there is not',
    { pod: 'db-0', reclaim: 'Recycle' },
    /spec\.reclaim/,
    /supported values: "Retain", "Delete", "TTL"/,
  ),
  claim('a count out of range', { podSelector: {}, count: 1000 }, /spec\.count/, /less than or equal to 256/),
];

/** What our own schemas and checks say of it: `spec.FIELD: …`, one a line; empty: nothing. */
export function ourWords({ kind, spec }: WrongObject): string {
  // A field that is undefined is absent in what the API server gets.
  const json: unknown = JSON.parse(JSON.stringify(spec));
  const lines = (path: readonly PropertyKey[], what: string): string =>
    `${path.reduce<string>((text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}.${String(key)}`), 'spec')}: ${what}`;
  const object = { apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name: 'a' }, spec: json };
  if (kind === 'IPClaim')
    return (ipClaimSpec.safeParse(json).error?.issues ?? []).map(({ path, message }) => lines(path, message)).join('\n');
  const parsed = podSubnet.safeParse(object);
  if (!parsed.success) return parsed.error.issues.map(({ path, message }) => lines(path.slice(1), message)).join('\n');
  return checkSubnet(parsed.data)
    .map(({ path, what, remedy }) => lines(path.slice(1), `${what}; ${remedy}`))
    .join('\n');
}
