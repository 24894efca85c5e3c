/** What a step makes of the model, and what a call should answer. Pure: the steps of a seed are found with it before any of them is done. */
import type { Call, Step } from './steps.ts';
import { attachmentsOf, type Box, boxOf, type World } from './world.ts';

/** Exit 0, or one of these CNI codes. `either`: who came first, or was written first, decides. */
export type Expected = 'ok' | number | 'either';

const [UNKNOWN, NETNS, TRY_LATER, UNAVAILABLE, EXISTS] = [3, 8, 11, 50, 122];

/** What the call answers when it comes alone, the agent being there. */
export function expectedOf(world: World, call: Call): Expected {
  if (call.verb === 'DEL' || call.verb === 'STATUS') return 'ok';
  const box = world.boxes.get(call.box);
  const attached = box?.attached.get(call.ifname);
  if (call.verb === 'CHECK') {
    if (attached === undefined) return UNKNOWN;
    return box?.goneAt === undefined ? 'ok' : NETNS;
  }
  if (box?.goneAt !== undefined) return NETNS;
  switch (attached?.answered) {
    case undefined:
    case 'no':
      return 'ok';
    case 'maybe':
      return 'either';
    case 'yes':
    case 'soon':
      return EXISTS;
  }
}

/** What the call answers while no agent is there. */
export function expectedAway(call: Call): Expected {
  if (call.verb === 'DEL') return 'ok';
  return call.verb === 'STATUS' ? UNAVAILABLE : TRY_LATER;
}

/** Changes the model to what it is after the step. */
export function takeEffect(world: World, step: Step): void {
  world.step++;
  switch (step.kind) {
    case 'call':
      return afterCall(world, step.call);
    case 'batch':
      for (const call of step.calls) afterCall(world, call);
      return;
    case 'twice': {
      const { key, network, subnet } = step;
      if (step.what === 'ADD') afterCall(world, { verb: 'ADD', ...key, network, subnet });
      else boxOf(world, key.box).attached.delete(key.ifname);
      return;
    }
    case 'damage Pod':
      if (step.next === 'DEL') boxOf(world, step.key.box).attached.delete(step.key.ifname);
      return;
    case 'GC':
      return afterGc(world, step);
    case 'netns gone':
      boxOf(world, step.box).goneAt = world.step;
      return;
    case 'restart':
      died(world, step.node, step.how);
      world.nodes[step.node] = { settings: step.settings };
      return;
    case 'crash':
      return afterCrash(world, step);
    case 'away':
      died(world, step.node, step.how);
      for (const call of step.calls) if (call.verb === 'DEL') afterCall(world, call);
      return;
    case 'VPC down':
      world.vpcUp = false;
      // They live in its memory.
      world.faults.clear();
      return;
    case 'VPC up':
      world.vpcUp = true;
      return;
    case 'cloud fault':
      world.faults.add(step.fault);
      return;
    case 'cloud faults end':
      world.faults.clear();
      return;
    case 'ask taken':
    case 'ask freed':
    case 'damage host':
    case 'cooldown passes':
    case 'packets':
      return;
  }
}

function afterCall(world: World, call: Call): void {
  if (call.verb === 'DEL') world.boxes.get(call.box)?.attached.delete(call.ifname);
  if (call.verb !== 'ADD') return;
  const expected = expectedOf(world, call);
  const { attached } = boxOf(world, call.box);
  if (expected === 'ok') attached.set(call.ifname, { network: call.network, answered: 'soon' });
  // Of the old attachment or of a new one: which, only the agent knows.
  const before = attached.get(call.ifname);
  if (expected === 'either' && before !== undefined) before.answered = 'maybe';
}

function afterGc(world: World, { node, network, keep }: Extract<Step, { kind: 'GC' }>): void {
  for (const { box, ifname, of, attached } of attachmentsOf(world, node)) {
    const stale = keep === undefined ? of.goneAt !== undefined : !keep.some((key) => key.box === box && key.ifname === ifname);
    if (attached.network === network && stale) of.attached.delete(ifname);
  }
}

function afterCrash(world: World, { node, point, call }: Extract<Step, { kind: 'crash' }>): void {
  died(world, node, 'SIGKILL');
  if (call.verb === 'ADD' && Number(point.charAt(4)) >= 3) {
    boxOf(world, call.box).attached.set(call.ifname, { network: call.network, answered: 'no' });
  }
  // Also one that died before it began: the executable has kept it for the next agent.
  if (call.verb === 'DEL') boxOf(world, call.box).attached.delete(call.ifname);
}

function died(world: World, node: number, how: 'SIGTERM' | 'SIGKILL'): void {
  for (const { attached } of attachmentsOf(world, node)) {
    if (attached.answered === 'soon') attached.answered = how === 'SIGTERM' ? 'yes' : 'maybe';
  }
}

/** Makes the container that a step is about to use for the first time. */
export function newBox(world: World, node: number): Box {
  const box: Box = { id: world.nextBox++, node, goneAt: undefined, attached: new Map() };
  world.boxes.set(box.id, box);
  return box;
}
