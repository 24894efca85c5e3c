/** `flatpod import rubble`: rubble.json, its CNI configuration, Pods with a fixed address, ports in Neutron. */
import type { Ip } from '../../../net/address.ts';
import type { Account } from '../../../import/account.ts';
import { isCniOf } from '../../../import/cni-config.ts';
import type { Document } from '../../../import/document.ts';
import { type Imported, type Kept, type Made, warmFields } from '../../../import/made.ts';
import { type Found, objectsIn, sayFound } from '../../../import/objects.ts';
import { claimsOf, type DumpedPod, podsIn } from '../../../import/pods.ts';
import { asName } from '../../../import/values.ts';
import { readRubbleCni, type RubbleCni } from './cni.ts';
import { type Daemon, readDaemon } from './daemon.ts';
import { type PodPort, podPorts, portList } from './ports.ts';

/** A user's wish for an address, and rubble's own note of it. */
const ANNOTATION = 'rubble.kubernetes.io/ip_address';

/** Reads them. Undefined: nothing of it is among them. */
export function readRubble(documents: readonly Document[], account: Account): Imported | undefined {
  const found = objectsIn(documents, account);
  const pods = podsIn(
    found.filter(({ kind }) => kind === 'Pod'),
    account,
  );
  const rest = found.filter(({ kind }) => kind !== 'Pod');
  const ports: PodPort[] = [];
  const [cnis, daemons]: [RubbleCni[], Daemon[]] = [[], []];
  const once = (one: Found, before: number): void => {
    if (before > 0) account.wrong(one.object, 'is the second of its kind', 'give one: nodes that differ are imported apart');
  };
  for (const one of rest) {
    const list = portList(one.object);
    if (list !== undefined) ports.push(...podPorts(list, account));
    else if (isCniOf('rubble', one.object)) {
      once(one, cnis.length);
      cnis.push(readRubbleCni(one.object, account));
    } else if (isSettings(one)) {
      once(one, daemons.length);
      daemons.push(readDaemon(one.object, account));
    } else
      account.wrong(
        one.object,
        `is ${sayFound(one)}, which this import does not read`,
        'give rubble.json, its CNI configuration, Pods or ports',
      );
  }
  if (documents.length === 0) return undefined;

  const daemon = daemons[0] ?? { subnets: [], securityGroups: [], serviceCidrs: [] };
  const subnets = subnetsOf(daemon, cnis[0], ports);
  const nameOf = (address: Ip): string | undefined => {
    const id = ports.flatMap((port) => port.addresses).find((one) => one.address === address)?.subnet;
    return id === undefined ? undefined : nameOfSubnet(id);
  };
  const claims = claimsOf(pods, ANNOTATION, nameOf, account);
  tellPorts(ports, pods, account);
  tellWhatIsLeft(account);
  return { made: [nodeConfigOf(daemon), controllerConfigOf(daemon), ...subnets, ...claims], kept: keptOf(pods, ports, nameOf) };
}

function isSettings({ kind, object: { value } }: Found): boolean {
  return kind === '' && typeof value === 'object' && value !== null && !Array.isArray(value);
}

function nodeConfigOf({ serviceCidrs, kubeconfig }: Daemon): Made {
  const spec = { cluster: kubeconfig === undefined ? {} : { kubeconfig }, ...(serviceCidrs.length > 0 && { serviceCidrs }) };
  return { kind: 'NodeConfig', name: 'node', spec, comment: 'Of every node. The chart writes it itself, from values.' };
}

function controllerConfigOf({ kubeconfig }: Daemon): Made {
  const spec = { cloud: { type: 'openstack' }, ...(kubeconfig !== undefined && { kubeconfig }) };
  return { kind: 'ControllerConfig', name: 'controller', spec, comment: 'The chart writes it itself, from values.' };
}

function nameOfSubnet(id: string): string {
  return asName(`subnet-${id}`);
}

/** One for each subnet that is named or that ports are of; without any a first one to be completed. */
function subnetsOf({ subnets, securityGroups, spare }: Daemon, cni: RubbleCni | undefined, ports: readonly PodPort[]): Made[] {
  const ids = [...new Set([...subnets, ...ports.flatMap(({ addresses }) => addresses.map(({ subnet }) => subnet))])];
  const common = {
    default: true,
    datapath: 'ipvlan',
    mode: cni?.mode ?? 'l2',
    ...(securityGroups.length > 0 && { securityGroups }),
    ...(cni?.isSecondNic !== false && { useFirstNic: false }),
    ...warmFields(spare === undefined ? {} : { spare }),
  };
  if (ids.length === 0)
    return [{ kind: 'PodSubnet', name: 'pods', spec: common, comment: 'To be completed: neither rubble.json nor a port names a subnet.' }];
  return ids.map((id) => ({
    kind: 'PodSubnet',
    name: nameOfSubnet(id),
    spec: { cloudSubnet: id, ...common },
    comment: 'A subnet of Neutron',
  }));
}

/** Ports whose address no Pod of the dump has: rubble's pool, or Pods that are to come again. */
function tellPorts(ports: readonly PodPort[], pods: readonly DumpedPod[], account: Account): void {
  const used = new Set(pods.flatMap(({ addresses, annotations }) => [...addresses, annotations[ANNOTATION]]));
  for (const { id, tags, addresses, setting } of ports) {
    const said = { ...setting, value: [id, ...addresses.map(({ address }) => address)].join(' ') };
    if (addresses.some(({ address }) => used.has(address)))
      account.equal(said, "a Pod's: it stays until that Pod has an address of Flatpod, then delete it");
    else if (tags === '') account.equal(said, "nobody's: delete it when rubble is gone");
    else
      account.none(
        said,
        `no Pod of the dump has its address; its tags: ${tags.slice(0, 100)}`,
        'write an IPClaim if a Pod is to have it again; then delete the port',
      );
  }
}

/** Pods on rubble's network: those that ask by annotation, and those with the address of a port. */
function keptOf(pods: readonly DumpedPod[], ports: readonly PodPort[], nameOf: (address: Ip) => string | undefined): Kept[] {
  const ofPorts = new Set(ports.flatMap(({ addresses }) => addresses.map(({ address }) => address)));
  return pods.flatMap(({ namespace, name, node, annotations, addresses }) =>
    addresses
      .filter((address) => ofPorts.has(address) || annotations[ANNOTATION] !== undefined)
      .map((address) => ({ address, namespace, pod: name, node, subnet: nameOf(address) ?? '' })),
  );
}

function tellWhatIsLeft(account: Account): void {
  account.left(
    'the nodes',
    'OS_*',
    "the environment of rubble's daemon: Flatpod's nodes need no credentials",
    'give them to the controller (docs/clouds), or to the one program of a node that is both',
  );
  account.left(
    'Neutron',
    'ports',
    'an address that a port of rubble holds cannot be given by Flatpod',
    'docs/migrate/rubble.md tells when to delete which port',
  );
}
