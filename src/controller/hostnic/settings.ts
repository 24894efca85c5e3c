/** hostnic's settings as they stand in the cluster, read as `flatpod import hostnic` reads them. */
import { Account } from '../../import/account.ts';
import type { Document, Mistake } from '../../import/document.ts';
import { readHostnic } from '../../import/hostnic/hostnic.ts';
import type { Made } from '../../import/made.ts';
import { isRecord } from '../../kube/answers.ts';
import type { Ip } from '../../net/address.ts';
import { checkSubnet } from '../../store/cross-checks.ts';
import type { NodeSettings } from '../../store/node-network.ts';
import { nodeSettings } from '../../store/node-network-schema.ts';
import { type PodSubnet, podSubnet } from '../../store/pod-subnet.ts';

/** An object of the API server, as far as it is read. */
export interface SettingsObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
  };
  readonly data?: unknown;
  readonly spec?: unknown;
  readonly status?: unknown;
}

/** What they come to. */
export interface Settings {
  readonly subnets: readonly PodSubnet[];
  /** Addresses that Pods of hostnic have. */
  readonly kept: readonly Ip[];
  /** Interfaces that an instance may have, its first included; absent: as many as the cloud allows. */
  readonly nicsPerInstance?: number;
  /** What nodes are told: serviceCIDR, logLevel, mtu. */
  readonly nodes: NodeSettings;
  /** Those of the controller's own configuration, by our names: they are not taken from here. */
  readonly ofController: Readonly<Record<string, unknown>>;
  /** Settings that have no equal, in a sentence each. */
  readonly without: readonly string[];
}

/** What keeps them from being served; `file` is what {@link nameOf} says of the object. */
export interface Mistaken {
  readonly mistakes: readonly Mistake[];
}

/** The ConfigMaps without which nothing is served: which namespace has which blocks, and how Pods are connected. */
export const IPAM_CONFIG = 'hostnic-ipam-config';
export const CNI_CONFIG = 'hostnic-cfg-cm';

/** How mistakes name the object. */
export function nameOf({ kind, metadata: { name, namespace } }: SettingsObject): string {
  return `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}

/** Reads all of it, or says what is wrong. */
export function readSettings(objects: readonly SettingsObject[]): Settings | Mistaken {
  const account = new Account();
  const imported = readHostnic(objects.map(documentOf), account, { isServed: true });
  account.close();
  const made = imported?.made ?? [];
  const subnets = made.flatMap((one) => (one.kind === 'PodSubnet' ? readMade(one, account) : []));
  const nodes = readNodes(objects, made, account);
  if (account.mistakes.length > 0) return { mistakes: account.mistakes };
  const controller = made.find(({ kind }) => kind === 'ControllerConfig')?.spec ?? {};
  const nicsPerInstance = inCloud(controller, 'nicsPerInstance');
  return {
    subnets,
    kept: imported?.kept.map(({ address }) => address) ?? [],
    nodes,
    ...(typeof nicsPerInstance === 'number' && { nicsPerInstance }),
    ofController: ofController(controller),
    without: account.entries.flatMap(({ fate, from, key, text, remedy }) =>
      fate === 'none' ? `${from.replace(/:1$/, '')}, ${key}: ${text}${remedy === '' ? '' : `; ${remedy}`}` : [],
    ),
  };
}

/** Lines are those of a text within the object, as the API server has no others. */
function documentOf(object: SettingsObject): Document {
  return { file: nameOf(object), value: object, lineOf: () => 1, textAt: () => ({ line: 1, isSpread: true }) };
}

/** As the API server would read it; what it would refuse is a mistake of the settings. */
function readMade({ kind, name, spec }: Made, account: Account): PodSubnet[] {
  const read = podSubnet.safeParse({ apiVersion: 'flatpod.dev/v1alpha1', kind, metadata: { name }, spec });
  const wrong = read.success
    ? checkSubnet(read.data).map(({ path, what }) => `${path.join('.')} ${what}`)
    : read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  for (const what of wrong)
    account.mistakes.push({ file: `PodSubnet ${name}`, line: 1, key: '', what, remedy: 'change the settings it is made from' });
  return read.success ? [read.data] : [];
}

/** As a node's agent would read it; what that would refuse is a mistake of the settings. */
function readNodes(objects: readonly SettingsObject[], made: readonly Made[], account: Account): NodeSettings {
  const specOf = (kind: Made['kind']): Readonly<Record<string, unknown>> => made.find((one) => one.kind === kind)?.spec ?? {};
  const { serviceCidrs, log } = specOf('NodeConfig');
  const mtu = inCloud(specOf('ControllerConfig'), 'mtu');
  const said = Object.entries({ serviceCidrs, mtu, log }).filter(([, value]) => value !== undefined);
  const file = objects.find(({ metadata: { name } }) => name === CNI_CONFIG);
  const read = nodeSettings.safeParse(Object.fromEntries(said));
  for (const { path, message } of read.error?.issues ?? [])
    account.mistakes.push({
      file: file === undefined ? CNI_CONFIG : nameOf(file),
      line: 1,
      key: path.join('.'),
      what: message,
      remedy: '',
    });
  return read.data ?? {};
}

/** What of the document is heeded at once. */
const heeded = ['type', 'nicsPerInstance', 'mtu'];

function ofController({ cluster, cloud }: Readonly<Record<string, unknown>>): Settings['ofController'] {
  const others = Object.entries(isRecord(cloud) ? cloud : {}).filter(([key]) => !heeded.includes(key));
  return { cluster, ...Object.fromEntries(others.map(([key, value]) => [`cloud.${key}`, value])) };
}

function inCloud({ cloud }: Readonly<Record<string, unknown>>, key: string): unknown {
  return isRecord(cloud) ? cloud[key] : undefined;
}
