/** Where a soak takes place: the lab with its nodes' settings, and what the answers said so far. */
import assert from 'node:assert/strict';
import { hasEnded } from '../../src/cli/demo/processes.ts';
import { deleteNetns, NAMED } from '../../src/kernel/netns.ts';
import { type Container, eventually, type TestLab, testLab, type TestNode } from '../life/lab.ts';
import { type SoakCloud, soakCloud } from './cloud.ts';
import { Ledger } from './ledger.ts';
import { boxOf, type Key, type Settings, type World } from './world.ts';

/** Steps count, seconds do not: however long they take, an attachment whose namespace is gone is the steps' own to end. */
const SWEEP_GRACE_s = 3600;

/**
 * Seconds for what is under way to end: a machine may hold a process up for longer than what it does takes, and a controller that could not reach its cloud for a
 * while pauses for up to a minute. What never ends is found all the same.
 */
export const LIMIT_s = 180;

/** See the head of this file. */
export interface Stage extends AsyncDisposable {
  readonly world: World;
  readonly lab: TestLab;
  readonly cloud: SoakCloud;
  readonly ledger: Ledger;
  /** What ADD printed, by {@link nameOf} of the attachment. */
  readonly results: Map<string, unknown>;
  /** Nodes whose kernel was damaged since they were last seen whole. */
  readonly damaged: Set<number>;
  /** Starts the agent with these settings. */
  start(node: number, settings: Settings, dieAt?: string): Promise<void>;
  /** Ends and starts the agent as it is, so that it reads everything anew. */
  restart(node: number): Promise<void>;
  /** How often that was needed. */
  restarts: number;
  /** Ends the agent as the signal does. */
  end(node: number, how: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** The container's id and namespace, made when it is first asked for. */
  container(box: number): Container;
  /** Deletes the container's namespace, if it has one. */
  removeNetns(box: number): void;
}

/** `n1-7/eth0`: how an attachment is called outside of the model. */
export function nameOf(stage: Stage, { box, ifname }: Key): string {
  return `${stage.container(box).container}/${ifname}`;
}

/** The node the container is on. */
export function nodeOf(stage: Stage, box: number): TestNode {
  return stage.lab.node(boxOf(stage.world, box).node);
}

/** The cooldown the node has now. */
export function cooldownOf(stage: Stage, node: number): number {
  return stage.world.nodes[node]?.settings.cooldown_s ?? 0;
}

/** Waits until the node's kernel is as the agent wants it. A Pod whose namespace is gone is no difference. */
export async function whole(stage: Stage, index: number): Promise<void> {
  const node = stage.lab.node(index);
  await eventually(
    `the kernel of ${node.name} is as its agent wants it`,
    async () => {
      const { differences } = await node.ask<{ differences: string[] }>('check');
      assert.deepEqual(
        differences.filter((difference) => !/FP141/.test(difference)),
        [],
      );
    },
    LIMIT_s,
  );
  stage.damaged.delete(index);
}

/** Builds the lab for the model and waits until each node could serve from both subnets. */
export async function openStage(world: World): Promise<Stage> {
  const subnets = {
    a: { cidr4: '10.20.0.0/23', cidr6: '2001:db8:20::/64' },
    b: { cidr4: '10.20.2.0/23', cidr6: '2001:db8:20:2::/64' },
  };
  const names = world.nodes.map((_, i) => `n${i + 1}`);
  const lab = await testLab({
    plan: { subnets, machines: Object.fromEntries(names.map((name) => [name, { subnet: 'a' }])) },
    agents: Object.fromEntries(names.map((name) => [name, { subnet: 'a', node: 'cooldown_s: 0' }])),
  });
  const containers = new Map<number, Container>();
  const stage: Stage = {
    world,
    lab,
    cloud: soakCloud(lab, world),
    ledger: new Ledger(),
    results: new Map(),
    damaged: new Set(),
    async start(node, settings, dieAt) {
      stage.ledger.shorten(node, settings.cooldown_s);
      const env = dieAt === undefined ? {} : { FLATPOD_DIE_AT: dieAt };
      await lab.node(node).start(env, yamlOf(lab, node, settings));
    },
    restarts: 0,
    async restart(node) {
      stage.restarts++;
      await stage.end(node, 'SIGTERM');
      await stage.start(node, world.nodes[node]?.settings ?? { cooldown_s: 0, warm: 'much' });
    },
    end: (node, how) => (how === 'SIGTERM' ? endInOrder(lab.node(node)) : lab.node(node).kill9()),
    container(id) {
      let container = containers.get(id);
      if (container === undefined) containers.set(id, (container = lab.node(boxOf(world, id).node).container()));
      return container;
    },
    removeNetns(id) {
      const container = containers.get(id);
      if (container !== undefined) deleteNetns(container.netns.slice(NAMED.length + 1));
    },
    [Symbol.asyncDispose]: () => lab[Symbol.asyncDispose](),
  };
  try {
    for (const [node, { settings }] of world.nodes.entries()) {
      await stage.end(node, 'SIGTERM');
      await stage.start(node, settings);
    }
    for (const node of lab.nodes) {
      const ready = async (): Promise<boolean> => (await node.report()).pools.every(({ free }) => free > 0);
      await eventually(`${node.name} has addresses of both subnets`, ready, LIMIT_s);
    }
    return stage;
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

/** An agent that was held up is killed by the lab ten seconds after its SIGTERM, and has not written then what the model takes to be written. */
async function endInOrder(node: TestNode): Promise<void> {
  const child = node.agent.process;
  child.kill('SIGTERM');
  await eventually(`the agent of ${node.name} ends`, () => hasEnded(child), LIMIT_s);
  await node.stop();
}

/** Single addresses on the first node, prefixes on the next, and so on in turns. */
function yamlOf(lab: TestLab, node: number, { cooldown_s, warm }: Settings): string {
  const { name, instance } = lab.node(node);
  const subnet = (of: string): string => lab.lab.subnets.get(of)?.id ?? '';
  const unit = node % 2 === 0 ? 'address' : 'prefix';
  const pods = warm === 'much' ? '{minimum: 14, spare: 4}' : '{minimum: 4, spare: 2}';
  const document = (kind: string, metadata: string, spec: string): string =>
    `apiVersion: flatpod.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: ${metadata}}\nspec: {${spec}}\n`;
  const cloud = `cloud: {type: vpc, endpoint: '${lab.url}'}`;
  return [
    document(
      'NodeConfig',
      name,
      `node: ${name}, instance: ${instance}, ${cloud}, cooldown_s: ${cooldown_s}, addressWait_s: 2, sweepGrace_s: ${SWEEP_GRACE_s}`,
    ),
    document('PodSubnet', 'pods', `cloudSubnet: ${subnet('a')}, default: true, unit: ${unit}, warm: ${pods}`),
    document('PodSubnet', 'dual', `cloudSubnet: ${subnet('b')}, families: [4, 6], warm: {spare: 4}`),
  ].join('---\n');
}
