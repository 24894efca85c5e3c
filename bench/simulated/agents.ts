/** All agents of the simulated cluster in one process: they say what their Pods need, and keep their side of the handshake by which addresses go back. */
import type { KubeApi } from '../../src/kube/api.ts';
import { watchObjects } from '../../src/kube/cache.ts';
import { createLog } from '../../src/log.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { eventually } from '../../test/life/lab.ts';

/** What an agent sees of its object. */
interface Seen {
  readonly hasSpec: boolean;
  readonly blocks: readonly string[];
  readonly reclaiming: readonly string[];
}

/** One agent. */
export interface SimulatedAgent {
  readonly node: string;
  readonly blocks: ReadonlySet<string>;
  /** What its Pods need from now on; resolves when the API server has it. */
  need(inUse: number, waiting: number): Promise<void>;
}

/** All of them. */
export interface SimulatedAgents {
  readonly all: readonly SimulatedAgent[];
  /** Resolves when that is so of all agents, at the latest then. */
  until(what: string, is: (agent: SimulatedAgent) => boolean, limit_s: number): Promise<void>;
  /** Resolves at the next change of what the node was granted for which that is so. */
  next(agent: SimulatedAgent, is: () => boolean, limit_ms: number): Promise<number>;
  /** Writes made so far. */
  readonly writes: number;
  stop(): void;
}

/** Starts them. `apis`: connections, which they share. `subnetOf`: the PodSubnet a node's Pods use. Each has `pods` Pods that wait when it begins. */
export function simulatedAgents(
  apis: readonly KubeApi[],
  nodes: readonly string[],
  subnetOf: (node: string) => string,
  pods: number,
): SimulatedAgents {
  const agents = new Map(nodes.map((node, i) => [node, agentOf(node, subnetOf(node), apis[i % apis.length], () => writes++)]));
  const [api] = apis;
  if (api === undefined) throw new Error('there is no connection');
  let writes = 0;
  const waiting = new Map<string, () => void>();
  const cache = watchObjects(
    api,
    { at: resources.nodeNetworks, parse: seenIn },
    {
      log: createLog('agents', 'warn'),
      changed(change) {
        if (change.kind === 'gone') return;
        agents.get(change.key)?.heard(change.object, pods);
        waiting.get(change.key)?.();
      },
    },
  );
  return {
    all: [...agents.values()],
    async until(what, is, limit_s) {
      const open = new Set(agents.values());
      await eventually(
        what,
        () => {
          for (const agent of open) if (is(agent)) open.delete(agent);
          return open.size === 0;
        },
        limit_s,
      );
    },
    next({ node }, is, limit_ms) {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      const late = setTimeout(() => reject(new Error(`${node} was not served within ${limit_ms} ms`)), limit_ms);
      waiting.set(node, () => {
        if (!is()) return;
        clearTimeout(late);
        waiting.delete(node);
        resolve(performance.now());
      });
      return promise;
    },
    get writes() {
      return writes;
    },
    stop: () => cache.stop(),
  };
}

function agentOf(node: string, subnet: string, api: KubeApi | undefined, wrote: () => void) {
  const blocks = new Set<string>();
  let returned: readonly string[] = [];
  let demand = { subnet, inUse: 0, cooling: 0, waiting: 0 };
  let began = false;
  const write = async (): Promise<void> => {
    wrote();
    const body = { spec: { demand: [demand], returned } };
    await api?.patch({ ...resources.nodeNetworks, name: node }, { kind: 'merge', body }, () => undefined, { deadline_ms: 60_000 });
  };
  const need = (inUse: number, waiting: number): Promise<void> => {
    demand = { subnet, inUse, cooling: 0, waiting };
    return write();
  };
  const tell = (said: Promise<void>): void => void said.catch((error: unknown) => console.error(`${node}: ${String(error)}`));
  return {
    node,
    blocks,
    need,
    heard(seen: Seen, pods: number): void {
      blocks.clear();
      for (const block of seen.blocks) blocks.add(block);
      if (!began) {
        began = true;
        // A controller that was started again finds what was said.
        if (!seen.hasSpec) tell(need(0, pods));
        return;
      }
      const kept = returned.filter((block) => blocks.has(block));
      const isServed = demand.waiting > 0 && blocks.size - kept.length >= demand.inUse + demand.waiting;
      if (isServed) demand = { ...demand, inUse: demand.inUse + demand.waiting, waiting: 0 };
      // What is asked back beyond what Pods use is given, for good; what went is forgotten.
      const free = Math.max(0, blocks.size - kept.length - demand.inUse - demand.waiting);
      const given = seen.reclaiming.filter((block) => !kept.includes(block)).slice(0, free);
      const isOther = given.length > 0 || kept.length < returned.length;
      returned = [...kept, ...given];
      if (isServed || isOther) tell(write());
    },
  };
}

interface Stored {
  readonly spec?: object;
  readonly status?: {
    readonly nics?: readonly {
      readonly deviceIndex: number;
      readonly blocks?: readonly string[];
      readonly reclaiming?: readonly string[];
    }[];
  };
}

/** Our own controller's word: it is looked at no closer, so that 5000 agents cost little. */
function seenIn(value: unknown): Seen {
  const { spec, status } = value as Stored;
  const nics = status?.nics ?? [];
  return {
    hasSpec: spec !== undefined,
    blocks: nics.flatMap(({ blocks = [] }) => blocks),
    reclaiming: nics.flatMap(({ reclaiming = [] }) => reclaiming),
  };
}
