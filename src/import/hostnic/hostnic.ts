/** `flatpod import hostnic`: its ConfigMaps, files and objects. */
import { type Account, below, type Setting } from '../account.ts';
import { isCniOf } from '../cni-config.ts';
import type { Document } from '../document.ts';
import type { Imported, Kept, Made } from '../made.ts';
import { type Found, objectsIn, sayFound } from '../objects.ts';
import { claimsOf, podsIn } from '../pods.ts';
import { checkHandles, readBlocks } from './blocks.ts';
import { readHostnicCni } from './cni.ts';
import { readIpamConfig } from './ipam-config.ts';
import type { HostnicPlan } from './plan.ts';
import { readIpPools, readVxNetPools } from './pools.ts';
import {
  isClusterSettings,
  isCredentials,
  isDaemonSettings,
  readClusterSettings,
  readCredentials,
  readDaemonSettings,
} from './settings.ts';
import { subnetsOf } from './subnets.ts';

/** Addresses that a Pod asks for; the name is Calico's. */
const ANNOTATION = 'cni.projectcalico.org/ipAddrs';
const kinds = ['ConfigMap', 'VxNetPool', 'IPPool', 'IPAMBlock', 'IPAMHandle', 'Pod'];
/** Of hostnic's own kinds, the older ones too: others have IPPools as well. */
const groups = ['network.qingcloud.com', 'network.kubesphere.io', 'vxnet.qingcloud.com', 'vxnetpool.kubesphere.io'];

/** Reads them. Undefined: nothing of it is among them. `isServed`: by a controller that goes on reading them. */
export function readHostnic(documents: readonly Document[], account: Account, { isServed = false } = {}): Imported | undefined {
  const found = objectsIn(documents, account);
  if (found.length === 0) return undefined;
  const plan: HostnicPlan = { serviceCidrs: [], isPassthrough: false, vxnets: new Set(), isServed };
  const of = (kind: string): Found[] =>
    uniqueOf(
      found.filter((one) => one.kind === kind && isRead(one)),
      account,
    );
  for (const one of [...of('ConfigMap'), ...found.filter((other) => !isRead(other))]) readSettings(one, plan, account);
  const cuts = readVxNetPools(of('VxNetPool'), plan, account);
  const [pools, blocks] = [readIpPools(of('IPPool'), account), readBlocks(of('IPAMBlock'), account)];
  checkHandles(of('IPAMHandle'), blocks, account);
  const { made, kept } = subnetsOf(plan, { cuts, pools, blocks }, account);
  const claims = claimsOf(podsIn(of('Pod'), account), ANNOTATION, () => undefined, account);
  if (made.length === 0)
    account.left('PodSubnets', '', 'no vxnet is named in these files', 'add hostnic-cfg-cm, the VxNetPool v-pool or hostnic-ipam-config');
  tellClaimsThatWait(claims, kept, account);
  tellWhatIsLeft(kept.length, account);
  return { made: [nodeConfigOf(plan), controllerConfigOf(plan), ...made, ...claims], kept };
}

/** Whether it is an object of a kind that is read as such: of Kubernetes itself, or of hostnic. */
function isRead({ kind, apiVersion }: Found): boolean {
  const isCore = !apiVersion.includes('/');
  return kinds.includes(kind) && (isCore || groups.some((group) => apiVersion.startsWith(`${group}/`)));
}

/** What IPClaims ask for and PodSubnets exclude, because the former Pod still has it. */
function tellClaimsThatWait(claims: readonly Made[], kept: readonly Kept[], account: Account): void {
  const used = new Set<unknown>(kept.map(({ address }) => address));
  for (const { namespace, name, spec } of claims) {
    const waiting = Array.isArray(spec['addresses']) ? spec['addresses'].filter((address) => used.has(address)) : [];
    if (waiting.length === 0) continue;
    const what = `${waiting.join(', ')} is excluded as long as a Pod of hostnic has it`;
    account.left(
      `IPClaim ${namespace}/${name}`,
      'spec.addresses',
      what,
      'when that Pod has ended, import again with a new dump, and apply the PodSubnets',
    );
  }
}

/** Everything that is no object of hostnic's own kinds. */
function readSettings(one: Found, plan: HostnicPlan, account: Account): void {
  const { kind, name, object } = one;
  if (kind === 'ConfigMap' && name === 'hostnic-ipam-config') readIpamConfig(object, plan, account);
  else if (kind === 'ConfigMap' && (name === 'hostnic-cfg-cm' || name === 'clusterconfig')) readConfigMap(object, name, plan, account);
  else if (kind === '' && isCniOf('hostnic', object)) readHostnicCni(object, plan, account);
  else if (kind === '' && isDaemonSettings(object)) readDaemonSettings(object, plan, account);
  else if (kind === '' && isClusterSettings(object)) readClusterSettings(object, plan, account);
  else if (kind === '' && isCredentials(object)) readCredentials(object, account);
  else
    account.wrong(
      object,
      `is ${sayFound(one)}, which this import does not read`,
      'give hostnic-cfg-cm, hostnic-ipam-config, clusterconfig, VxNetPools, IPPools, IPAMBlocks, IPAMHandles or Pods; leave this out',
    );
}

/** Files in a ConfigMap. */
function readConfigMap(configMap: Setting, name: string, plan: HostnicPlan, account: Account): void {
  const data = account.part({ ...below(configMap, 'data'), name }, name);
  const isCluster = name === 'clusterconfig';
  for (const key of isCluster ? data.keys() : ['hostnic-cni', 'hostnic']) {
    const setting = data.get(key);
    const inner = setting === undefined ? undefined : account.within(setting);
    if (inner === undefined) continue;
    if (isCluster) readClusterSettings(inner, plan, account);
    else if (key === 'hostnic') readDaemonSettings(inner, plan, account);
    else readHostnicCni(inner, plan, account);
  }
}

function uniqueOf(found: readonly Found[], account: Account): Found[] {
  const seen = new Set<string>();
  return found.filter(({ namespace, name, kind, object }) => {
    const key = `${namespace}/${name}`;
    if (seen.has(key)) account.wrong({ ...object, name: `${kind} ${name}` }, 'stands there twice', 'give it once');
    const isFirst = !seen.has(key);
    seen.add(key);
    return isFirst;
  });
}

function nodeConfigOf({ serviceCidrs, log }: HostnicPlan): Made {
  const spec = { cluster: {}, ...(serviceCidrs.length > 0 && { serviceCidrs }), ...(log !== undefined && { log }) };
  return { kind: 'NodeConfig', name: 'node', spec, comment: 'Of every node. The chart writes it itself, from values.' };
}

function controllerConfigOf({ cluster, zone, nicsPerInstance, mtu, tag, securityGroup }: HostnicPlan): Made {
  const cloud = {
    type: 'qingcloud',
    ...(zone !== undefined && { zone }),
    ...(nicsPerInstance !== undefined && { nicsPerInstance }),
    ...(mtu !== undefined && { mtu }),
    ...(tag !== undefined && { tags: [tag] }),
    ...(securityGroup !== undefined && { securityGroup }),
  };
  const spec = { ...(cluster !== undefined && { cluster }), cloud };
  return {
    kind: 'ControllerConfig',
    name: 'controller',
    spec,
    comment: 'The chart writes it itself, from values.',
  };
}

function tellWhatIsLeft(kept: number, account: Account): void {
  account.left(
    'the cloud',
    'VIPs hostnic_…',
    'hostnic has reserved the whole vxnet, so that the cloud gives nothing of it to Flatpod',
    'write cloud.adoptVips: hostnic_, once hostnic gives nothing of these blocks any more (docs/migrate/hostnic.md)',
  );
  if (kept > 0)
    account.left(
      'all PodSubnets',
      'spec.exclude',
      `${kept} addresses are excluded because Pods of hostnic have them`,
      'import again with a new dump as these Pods end, and apply the PodSubnets',
    );
}
