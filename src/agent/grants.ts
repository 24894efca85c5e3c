/**
 * The agent's side of NodeNetwork: what the controller granted is set up in the kernel and handed to the pools; what the pools need is told to the controller.
 *
 * Invariants
 * - a NIC is set up before the pools lease from it, and pools stop leasing from it when it is unplugged
 * - the last known status is enough: without store or controller the node goes on serving from it
 */
import type { NicId } from '../cloud/cloud.ts';
import type { NamedNic } from '../datapath/host-table.ts';
import { nodePlan } from '../datapath/node.ts';
import { asFailure, sentence } from '../errors/failure.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { describe, nameOf, type Plan } from '../kernel/state.ts';
import type { Log } from '../log.ts';
import type { NodeConfig } from '../store/node-config.ts';
import type { NodeNetwork, NodeNetworkSpec, NodeNetworkStatus, NodeNetworks } from '../store/node-network.ts';
import { pluggedIn } from './nics.ts';
import type { Pools } from './pools.ts';

/** Gathers what a burst of ADDs changes into one write; an ADD that waits makes it shorter. */
const GATHER_ms = 250;
const GATHER_URGENT_ms = 5;
/** Demand is written again so often even when nothing changed: cooling ends without an event. */
const REFRESH_ms = 5000;

/** What the agent knows of its NICs. */
export interface Grants {
  /** NICs that are plugged in and set up. */
  readonly nics: readonly NamedNic[];
  /** The controller's last word; undefined until there was one. */
  readonly status: NodeNetworkStatus | undefined;
  /** What the kernel should hold for the node itself. */
  readonly plan: Plan;
  /** The numbers have changed. */
  demandChanged(urgent: boolean): void;
  /** Whether the node asks for nothing and gives everything back. */
  readonly draining: boolean;
  /** Begins or ends that. */
  drain(begin: boolean): void;
  /** Stops following for good. Returns what the kernel holds for the node; from now on it should hold nothing. */
  leave(): Plan;
  stop(): void;
}

export interface GrantsOptions {
  readonly name: string;
  readonly config: NodeConfig['spec'];
  readonly store: NodeNetworks;
  readonly kernel: Kernel;
  readonly pools: () => Pools;
  readonly log: Log;
}

/** Starts following; the first status known is in effect when this resolves. */
export async function followGrants(options: GrantsOptions): Promise<Grants> {
  const { name, config, store, kernel, log } = options;
  const state: { nics: NamedNic[]; status: NodeNetworkStatus | undefined; plan: Plan; written: string; draining: boolean } = {
    nics: [],
    status: undefined,
    plan: [],
    written: '',
    draining: false,
  };
  let timer: NodeJS.Timeout | undefined;
  let due_ms = Number.POSITIVE_INFINITY;

  const setUp = (): void => {
    if (state.status === undefined) return;
    const nics = pluggedIn(kernel, state.status.nics, config.numbers.linkPrefix);
    const plan = nodePlan(config, nics, state.status.vpcCidrs);
    if (JSON.stringify(plan) !== JSON.stringify(state.plan)) exchange(kernel, log, state.plan, plan);
    Object.assign(state, { nics, plan });
    const overlapping = options.pools().grant(state.status, new Set(nics.map(({ nic }) => nic.id)));
    if (overlapping.length > 0) log.error(`granted blocks overlap and are not used: ${overlapping.join(', ')}`);
    changed(false);
  };
  const write = async (): Promise<void> => {
    timer = undefined;
    due_ms = Number.POSITIVE_INFINITY;
    const plugged = new Set(state.nics.map(({ nic }) => nic.id));
    const unplugged = (state.status?.nics ?? []).map(({ id }) => id).filter((id) => !plugged.has(id));
    const spec = specOf(config, options.pools(), unplugged, state.draining);
    const text = JSON.stringify(spec);
    if (text === state.written) return;
    await store.writeSpec(name, spec);
    state.written = text;
  };
  const changed = (urgent: boolean): void => {
    const wait = urgent ? GATHER_URGENT_ms : GATHER_ms;
    const due = performance.now() + wait;
    if (due >= due_ms) return;
    clearTimeout(timer);
    due_ms = due;
    timer = setTimeout(() => {
      write().catch((error: unknown) => log.warn(`demand was not written: ${sentence(asFailure(error))}`));
    }, wait);
  };
  const take = (node: NodeNetwork): void => {
    if (node.name !== name || JSON.stringify(node.status) === JSON.stringify(state.status)) return;
    state.status = node.status;
    setUp();
  };
  const guarded = (body: () => void): void => {
    try {
      body();
    } catch (error) {
      log.error(`setting up NICs failed: ${sentence(asFailure(error))}`);
    }
  };

  const unwatchStore = store.watch((node) => guarded(() => take(node)));
  const unwatchKernel = kernel.watch((event) => {
    if ((event.kind === 'link' || event.kind === 'link-gone') && isNic(event.link.mac, state.status)) {
      if (event.kind === 'link-gone') log.warn(`NIC ${event.link.name} (${event.link.mac ?? ''}) was unplugged`);
      guarded(setUp);
    }
  });
  const refresh = setInterval(() => changed(false), REFRESH_ms);
  const known = await store.get(name);
  if (known !== undefined) guarded(() => take(known));
  changed(true);
  const stop = (): void => {
    unwatchStore();
    unwatchKernel();
    clearInterval(refresh);
    clearTimeout(timer);
  };
  return {
    get draining() {
      return state.draining;
    },
    get nics() {
      return state.nics;
    },
    get status() {
      return state.status;
    },
    get plan() {
      return state.plan;
    },
    demandChanged: changed,
    drain(begin) {
      state.draining = begin;
      changed(true);
    },
    leave() {
      stop();
      const { plan } = state;
      state.plan = [];
      return plan;
    },
    stop,
  };
}

function isNic(mac: string | undefined, status: NodeNetworkStatus | undefined): boolean {
  return status?.nics.some((nic) => nic.mac === mac) === true;
}

function specOf(config: NodeConfig['spec'], pools: Pools, unplugged: readonly NicId[], draining: boolean): NodeNetworkSpec {
  return {
    // The configuration is where the cloud's id enters; from here on it is one.
    instance: config.instance as NodeNetworkSpec['instance'],
    demand: pools.demand(),
    returned: pools.giveBack(),
    ...(unplugged.length > 0 && { unplugged }),
    ...(draining && { draining }),
  };
}

/** Adds what is new first, then takes away what no plan wants any more: at no moment is there less than both have in common. */
function exchange(kernel: Kernel, log: Log, before: Plan, after: Plan): void {
  const wanted = new Set(after.map((object) => `${nameOf(object.where)} ${describe(object)}`));
  kernel.apply(after);
  const stale = before.filter((object) => !wanted.has(`${nameOf(object.where)} ${describe(object)}`));
  if (stale.length === 0) return;
  kernel.remove(stale).catch((error: unknown) => log.warn(`removing what a NIC left failed: ${sentence(asFailure(error))}`));
}
