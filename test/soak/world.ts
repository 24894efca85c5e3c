/**
 * The model: what there should be after each step, without any address or time in it, so that the steps to come follow from the seed alone.
 */

/** The names an interface may have. */
export const ifnames = ['eth0', 'net1'] as const;
export type Ifname = (typeof ifnames)[number];
/** The CNI networks that the runtime speaks of. */
export type Network = 'net' | 'other';
/** The PodSubnets of each node: IPv4 on the first NIC, both families on a further one. */
export type Subnet = 'pods' | 'dual';

/**
 * An attachment. `answered`: whether the agent has it on disk that the ADD was answered, which decides what a second ADD hears.
 * `soon`: in memory, on disk in a moment; `maybe`: the agent was killed in that moment.
 */
export interface Attached {
  readonly network: Network;
  answered: 'yes' | 'soon' | 'maybe' | 'no';
}

/** A container. */
export interface Box {
  readonly id: number;
  readonly node: number;
  /** Its namespace was deleted; at which step. */
  goneAt: number | undefined;
  readonly attached: Map<Ifname, Attached>;
}

/** What a restart may change about a node. */
export interface Settings {
  readonly cooldown_s: 0 | 1;
  readonly warm: 'little' | 'much';
}

/** All that the model knows. */
export interface World {
  step: number;
  readonly nodes: { settings: Settings }[];
  readonly boxes: Map<number, Box>;
  nextBox: number;
  vpcUp: boolean;
  /** Which faults of the list in steps.ts are in force. */
  readonly faults: Set<number>;
}

/** One attachment by its names. */
export interface Key {
  readonly box: number;
  readonly ifname: Ifname;
}

/** The start: `nodes` nodes without a container. */
export function newWorld(nodes: number): World {
  const settings = (node: number): Settings => ({ cooldown_s: node % 2 === 0 ? 0 : 1, warm: 'much' });
  return {
    step: 0,
    nodes: Array.from({ length: nodes }, (_, node) => ({ settings: settings(node) })),
    boxes: new Map(),
    nextBox: 1,
    vpcUp: true,
    faults: new Set(),
  };
}

/** The attachments, of one node or of all. */
export function attachmentsOf(world: World, node?: number): (Key & { readonly of: Box; readonly attached: Attached })[] {
  return [...world.boxes.values()]
    .filter((box) => node === undefined || box.node === node)
    .flatMap((box) => [...box.attached].map(([ifname, attached]) => ({ box: box.id, ifname, of: box, attached })));
}

/** @throws RangeError: a step names only containers that were made. */
export function boxOf(world: World, id: number): Box {
  const box = world.boxes.get(id);
  if (box === undefined) throw new RangeError(`no container ${id}`);
  return box;
}
