/** The next step: drawn from the seed, possible in the model as it is. */
import { faultPoints } from '../../src/agent/fault-point.ts';
import { newBox } from './effect.ts';
import type { Random } from './random.ts';
import { type Call, cloudFaults, hostDamages, podDamages, type Step } from './steps.ts';
import { attachmentsOf, type Box, ifnames, type Key, type Network, type Settings, type Subnet, type World } from './world.ts';

/** Containers with an interface that a node has at most, and calls of a batch. */
const [BOXES, BATCH] = [9, 8];
/** Steps after which a container whose namespace is gone hears DEL: long before the agent's own sweep would take it. */
const GONE_STEPS = 40;
/** The VPC is away no longer than that. */
const VPC_DOWN_STEPS = 25;

const weights: Readonly<Record<Step['kind'], number>> = {
  call: 600,
  batch: 110,
  twice: 40,
  'ask taken': 10,
  'ask freed': 16,
  'damage host': 40,
  'damage Pod': 14,
  GC: 24,
  'netns gone': 25,
  restart: 6,
  crash: 5,
  away: 1,
  'VPC down': 3,
  'VPC up': 12,
  'cloud fault': 20,
  'cloud faults end': 6,
  'cooldown passes': 5,
  packets: 30,
};
const callWeights = { ADD: 30, 'ADD again': 4, DEL: 24, 'DEL of nothing': 5, CHECK: 16, 'CHECK of nothing': 2, STATUS: 5 };

/** Draws the step, and makes the containers in the model that it speaks of for the first time. */
export function chooseStep(random: Random, world: World): Step {
  const overdue = attachmentsOf(world).find(({ of }) => of.goneAt !== undefined && world.step - of.goneAt > GONE_STEPS);
  if (overdue !== undefined) return { kind: 'call', call: del(random, overdue, overdue.attached.network) };
  if (!world.vpcUp && world.step % VPC_DOWN_STEPS === 0) return { kind: 'VPC up' };
  for (;;) {
    const step = stepOf(random, world, random.weighted(weights));
    if (step !== undefined) return step;
  }
}

/** Undefined when the model has nothing for such a step. */
function stepOf(random: Random, world: World, kind: Step['kind']): Step | undefined {
  const node = random.below(world.nodes.length);
  const live = attachmentsOf(world, node).filter(({ of }) => of.goneAt === undefined);
  const some = random.one(live);
  const key: Key | undefined = some && { box: some.box, ifname: some.ifname };
  switch (kind) {
    case 'call': {
      const call = callOf(random, world, node);
      return call && { kind, call };
    }
    case 'batch':
      return { kind, calls: callsOf(random, world, 2 + random.below(BATCH - 1), () => random.below(world.nodes.length)) };
    case 'twice':
      return twice(random, world, node, random.of('ADD', 'DEL', 'both'));
    case 'ask taken':
      return key && roomFor(world, node) ? { kind, box: newBox(world, node).id, of: key } : undefined;
    case 'ask freed':
      return roomFor(world, node) ? { kind, box: newBox(world, node).id, by: random.of('CNI_ARGS', 'ips') } : undefined;
    case 'damage host':
      return key && { kind, what: random.of(...hostDamages), key };
    case 'damage Pod':
      return key && { kind, what: random.of(...podDamages), key, next: random.of('repair', 'DEL') };
    case 'GC':
      return collect(random, world, node);
    case 'netns gone':
      return some && { kind, box: some.box };
    case 'restart':
      return { kind, node, how: random.of('SIGTERM', 'SIGKILL'), settings: settingsOf(random, world, node) };
    case 'crash':
      return crash(random, world, node);
    case 'away':
      return { kind, node, how: random.of('SIGTERM', 'SIGKILL'), calls: callsOf(random, world, 4, () => node) };
    case 'VPC down':
      return world.vpcUp ? { kind, how: random.of('SIGTERM', 'SIGKILL') } : undefined;
    case 'VPC up':
      return world.vpcUp ? undefined : { kind };
    case 'cloud fault':
      return world.vpcUp ? { kind, fault: random.below(cloudFaults.length) } : undefined;
    case 'cloud faults end':
      return world.faults.size > 0 ? { kind } : undefined;
    case 'cooldown passes':
      return { kind, node };
    case 'packets': {
      const [from, to] = [random.one(talking(world)), random.one(talking(world))];
      return from && to && from !== to ? { kind, from: from.id, to: to.id } : undefined;
    }
  }
}

function callOf(random: Random, world: World, node: number): Call | undefined {
  const what = random.weighted(callWeights);
  const some = random.one(attachmentsOf(world, node));
  const idle = random.one([...world.boxes.values()].filter((box) => box.node === node && !box.attached.has('eth0')));
  switch (what) {
    case 'ADD':
      return add(random, world, node);
    case 'ADD again':
      return some && { verb: 'ADD', box: some.box, ifname: some.ifname, network: some.attached.network, subnet: subnetOf(random) };
    case 'DEL':
      return some && del(random, some, random.of(some.attached.network, 'other'));
    case 'DEL of nothing':
      return idle && del(random, { box: idle.id, ifname: 'eth0' }, 'net');
    case 'CHECK':
      return some && { verb: 'CHECK', box: some.box, ifname: some.ifname };
    case 'CHECK of nothing':
      return idle && { verb: 'CHECK', box: idle.id, ifname: 'eth0' };
    case 'STATUS':
      return { verb: 'STATUS', node };
  }
}

/** ADD of a new container, of an old one again, or of a second interface. */
function add(random: Random, world: World, node: number): Call | undefined {
  if (!roomFor(world, node)) return undefined;
  const known = random.once(4) ? random.one([...world.boxes.values()].filter((box) => box.node === node)) : undefined;
  const box = known ?? newBox(world, node);
  const ifname = ifnames.find((name) => !box.attached.has(name));
  return ifname && { verb: 'ADD', box: box.id, ifname, network: networkOf(random), subnet: subnetOf(random) };
}

function del(random: Random, { box, ifname }: Key, network: Network): Call {
  return { verb: 'DEL', box, ifname, netns: random.of('given', 'empty'), network };
}

/** Calls of different attachments: what one does must not decide what another answers. */
function callsOf(random: Random, world: World, count: number, node: () => number): Call[] {
  const calls = new Map<string, Call>();
  // A few draws too many, as some come to nothing.
  for (let i = 0; i < 3 * count && calls.size < count; i++) {
    const call = callOf(random, world, node());
    if (call === undefined) continue;
    const name = call.verb === 'STATUS' ? `status ${i}` : `${call.box}/${call.ifname}`;
    if (!calls.has(name)) calls.set(name, call);
  }
  return [...calls.values()];
}

function twice(random: Random, world: World, node: number, what: 'ADD' | 'DEL' | 'both'): Step | undefined {
  const [network, subnet] = [networkOf(random), subnetOf(random)];
  const some = random.one(attachmentsOf(world, node));
  if (what === 'DEL') return some && { kind: 'twice', what, key: { box: some.box, ifname: some.ifname }, network, subnet };
  return roomFor(world, node) ? { kind: 'twice', what, key: { box: newBox(world, node).id, ifname: 'eth0' }, network, subnet } : undefined;
}

function collect(random: Random, world: World, node: number): Step {
  const keep = attachmentsOf(world, node)
    .filter(() => !random.once(3))
    .map(({ box, ifname }) => ({ box, ifname }));
  return { kind: 'GC', node, network: networkOf(random), ...(!random.once(3) && { keep }) };
}

function crash(random: Random, world: World, node: number): Step | undefined {
  const point = random.one(faultPoints) ?? faultPoints[0];
  const some = random.one(attachmentsOf(world, node));
  const isAdd = point.startsWith('add');
  if (!isAdd) return some && { kind: 'crash', node, point, call: del(random, some, some.attached.network) };
  if (!roomFor(world, node)) return undefined;
  const call = { verb: 'ADD', box: newBox(world, node).id, ifname: 'eth0', network: networkOf(random), subnet: subnetOf(random) } as const;
  return { kind: 'crash', node, point, call };
}

function settingsOf(random: Random, world: World, node: number): Settings {
  const before = world.nodes[node]?.settings;
  if (before !== undefined && random.once(2)) return before;
  return { cooldown_s: random.of(0, 1), warm: random.of('little', 'much') };
}

/** Containers that packets may be sent from and to. */
function talking(world: World): Box[] {
  return [...world.boxes.values()].filter((box) => box.goneAt === undefined && box.attached.has('eth0'));
}

function roomFor(world: World, node: number): boolean {
  return [...world.boxes.values()].filter((box) => box.node === node && box.attached.size > 0).length < BOXES;
}

function networkOf(random: Random): Network {
  return random.once(4) ? 'other' : 'net';
}

function subnetOf(random: Random): Subnet {
  return random.once(4) ? 'dual' : 'pods';
}
