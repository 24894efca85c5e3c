/** Places of a test network, which are namespaces, and the cables between them. */
import { execFileSync } from 'node:child_process';
import { NAMED } from '../../src/kernel/netns.ts';

export type Family = 4 | 6;

const prefix: Record<Family, string> = { 4: '10.60.0.', 6: '2001:db8:60::' };
/** Of the network's prefixes. */
export const length: Record<Family, number> = { 4: 24, 6: 64 };

/** A place of the network. */
export interface Place {
  readonly netns: string;
  /** Runs a shell command in it. @throws Error with its stderr. */
  sh(command: string, input?: string): string;
}

/** An address of the network: of a host its number, of a Pod whatever it was given. */
export function onLan(family: Family, number: number): string {
  return `${prefix[family]}${number}`;
}

/** A namespace that is there. */
export function placeAt(netns: string): Place {
  return {
    netns,
    sh: (command, input) =>
      execFileSync('nsenter', [`--net=${netns}`, 'sh', '-e', '-c', command], {
        encoding: 'utf8',
        timeout: 60_000,
        stdio: ['pipe', 'pipe', 'pipe'],
        ...(input !== undefined && { input }),
      }),
  };
}

/** An interface of that place on the bridge, with an address of each family. */
export function plug(wires: Place, at: Place, name: string, families: readonly Family[], number: number): void {
  wire(wires, `p${number}`, at, name);
  wires.sh(`ip link set p${number} master br0`);
  for (const family of families) at.sh(`ip addr add ${onLan(family, number)}/${length[family]} dev ${name}`);
}

/** A cable between two places. */
export function wire(a: Place, nameA: string, b: Place, nameB: string): void {
  const peer = b.netns.slice(NAMED.length + 1);
  a.sh(`ip link add ${nameA} type veth peer name ${nameB} netns ${peer} && ip link set ${nameA} up`);
  b.sh(`ip link set ${nameB} up`);
}
