/**
 * The text of our network configuration list (CNI specification 1.1.0, section 1).
 *
 * It carries a digest of itself under a key of our own, which runtimes ignore: so a later installer knows a list that nobody edited, and may replace it.
 */
import { createHash } from 'node:crypto';

const KEY = 'flatpod.dev/installed';

/** What is chosen for a list. */
export interface ListChoice {
  /** Name of the network. */
  readonly network: string;
  readonly version: VersionChoice;
  /** Plugins that follow ours, in this order. */
  readonly chain: readonly string[];
}

/** The version every runtime may use, and others for those that choose by themselves (`cniVersions`; libcni 1.2). */
export interface VersionChoice {
  readonly cniVersion: string;
  readonly cniVersions?: readonly string[];
}

/** What runtimes hand to a plugin only when it is declared. */
const capabilities: Readonly<Record<string, Readonly<Record<string, true>>>> = {
  flatpod: { ips: true, mac: true, 'io.kubernetes.cri.pod-annotations': true },
  portmap: { portMappings: true },
  bandwidth: { bandwidth: true },
};

/** The list as it is written. */
export function configListText({ network, version, chain }: ListChoice): string {
  const plugins = ['flatpod', ...chain].map((type) => ({ type, ...(capabilities[type] && { capabilities: capabilities[type] }) }));
  const list = { ...version, name: network, plugins };
  return textOf({ ...list, [KEY]: digestOf(list) });
}

/** Whether the text is one that {@link configListText} made, of this or another version of Flatpod. */
export function isOurs(text: string): boolean {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null || !(KEY in parsed)) return false;
    const { [KEY]: digest, ...list } = parsed;
    return digest === digestOf(list);
  } catch {
    return false; // not even JSON
  }
}

function digestOf(list: object): string {
  return `sha256:${createHash('sha256').update(JSON.stringify(list)).digest('hex')}`;
}

function textOf(list: object): string {
  return `${JSON.stringify(list, undefined, 2)}\n`;
}
