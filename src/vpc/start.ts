/** The emulated VPC as a program: state, fabric, API. */
import type { InstanceLimits } from '../cloud/cloud.ts';
import { failure } from '../errors/failure.ts';
import type { Log } from '../log.ts';
import { type Cidr, parseCidr } from '../net/cidr.ts';
import { asidesOf } from './api/aside.ts';
import { listen } from './api/listen.ts';
import { serve } from './api/serve.ts';
import { calls } from './calls/all.ts';
import { newDefaultGroup } from './calls/groups.ts';
import { withCidrs } from './calls/network.ts';
import { networkOf } from './model/find.ts';
import { detached } from './calls/nics.ts';
import { newId } from './calls/token.ts';
import { converger } from './converge.ts';
import { Events } from './events.ts';
import { type Fabric, noFabric } from './fabric/fabric.ts';
import { openFabric } from './fabric/open.ts';
import { Faults } from './faults.ts';
import type { Front, OpenFront } from './front.ts';
import { openDatabase } from './model/database.ts';
import { Model } from './model/model.ts';
import { repairing } from './repair.ts';

/** What `startVpc` may be told. */
export interface VpcOptions {
  /** Directory of the state; made when it is not there. */
  readonly stateDir: string;
  /** `HOST:PORT` (port 0: any) or `unix:/PATH`. */
  readonly listen: string;
  /** At most 20 characters: namespaces are called `<name>-<instance>`. */
  readonly name: string;
  /** CIDR blocks of a new VPC; added to one that exists. Absent: 10.20.0.0/16 and 2001:db8:20::/56. */
  readonly cidrs?: readonly Cidr[];
  /** MTU of all NICs of a new VPC, in bytes; 1500 when absent. */
  readonly mtu?: number;
  /** false: the API alone, without namespaces and packets; needs no root. */
  readonly fabric?: boolean;
  /** Other wire formats for the same VPC. */
  readonly fronts?: readonly Front[];
  readonly log: Log;
}

/** A VPC that serves. */
export interface RunningVpc {
  /** `http://HOST:PORT` or `unix:/PATH`. */
  readonly url: string;
  /** Where the fronts serve, by their names. */
  readonly frontUrls: Readonly<Record<string, string>>;
  /** Ends the API. The network stays and the state too, unless `destroy`: then the network is removed (the state's file is the caller's). */
  stop(how?: { readonly destroy?: boolean }): Promise<void>;
}

const defaultCidrs = ['10.20.0.0/16', '2001:db8:20::/56'].map(parseCidr);
const defaultTypes: Readonly<Record<string, InstanceLimits>> = {
  'v1.small': { nics: 2, addressSlotsPerNic: 4, ipv6SlotsPerNic: 4 },
  'v1.medium': { nics: 3, addressSlotsPerNic: 10, ipv6SlotsPerNic: 10, branches: 6 },
  'v1.large': { nics: 4, addressSlotsPerNic: 15, ipv6SlotsPerNic: 15, branches: 9 },
  'v1.xlarge': { nics: 8, addressSlotsPerNic: 30, ipv6SlotsPerNic: 30, branches: 18 },
};

/**
 * Starts a VPC, or one that was stopped or killed again: with all its objects, and the network brought back to what they say.
 * @throws Failure vpcOptions, vpcState, vpcListen, vpcFabric. Nothing of this program stays behind then.
 */
export async function startVpc(options: VpcOptions): Promise<RunningVpc> {
  const { name, log } = options;
  if (!/^[a-z0-9][a-z0-9-]{0,18}[a-z0-9]$/.test(name)) {
    throw failure('vpcOptions', {
      option: '--name',
      value: name,
      text: 'namespaces are named after it',
      remedy: 'use 2 to 20 lower-case letters, digits and "-"',
    });
  }
  await using open = new AsyncDisposableStack();
  const model = new Model(openDatabase(options.stateDir), Date.now);
  open.defer(() => model.close());
  seed(model, options);
  const events = new Events();
  open.defer(() => events.close());
  const faults = new Faults();
  const fabric: Fabric = options.fabric === false ? noFabric : openFabric(name, model.state);
  let destroyWanted = false;
  open.defer(() => (destroyWanted ? fabric.destroy() : fabric.close()));
  const { converge: bring, settled } = converger(fabric, model.state, events, log);
  const fronts = new Map<string, OpenFront>();
  const converge = async (): Promise<void> => {
    await bring();
    for (const front of fronts.values()) front.follow?.();
  };
  const faultsEnded = async (): Promise<void> => {
    if (!faults.holdsDetaching() && letGo(model)) await converge();
  };
  letGo(model);
  await converge();
  open.defer(repairing(fabric, converge, events));
  const stopping = new AbortController();
  const frontCalls = (options.fronts ?? []).flatMap((front) => front.calls);
  const asides = asidesOf({ vpc: name, calls, frontCalls, faults, events, fabric, faultsEnded });
  const listening = await listen(options.listen, serve({ calls, asides, model, faults, events, log, converge, stopping: stopping.signal }));
  open.defer(async () => {
    stopping.abort();
    events.close();
    await listening.close();
    await settled();
  });
  const inside = { vpc: name, hasFabric: options.fabric !== false, model, faults, events, log, converge, stopping: stopping.signal };
  for (const front of options.fronts ?? []) {
    const opened = await front.open(inside);
    fronts.set(front.name, opened);
    open.defer(async () => {
      stopping.abort();
      fronts.delete(front.name);
      await opened.close();
    });
    opened.follow?.();
    log.info(`the front ${front.name} serves`, { vpc: name, url: opened.url });
  }
  log.info('the emulated VPC serves', { vpc: name, url: listening.url, fabric: fabric.state });
  const running = open.move();
  return {
    url: listening.url,
    frontUrls: Object.fromEntries([...fronts].map(([front, { url }]) => [front, url])),
    async stop({ destroy = false } = {}) {
      destroyWanted = destroy;
      await running.disposeAsync();
    },
  };
}

/** Gives a new VPC what each has, and an old one the CIDRs that were asked for. */
function seed(model: Model, options: VpcOptions): void {
  model.transaction((transaction) => {
    const [before] = model.state.network.values();
    if (before === undefined) {
      transaction.put('network', {
        id: newId('vpc'),
        name: options.name,
        cidrs: options.cidrs ?? defaultCidrs,
        mtu: options.mtu ?? 1500,
        tags: {},
      });
      transaction.put('group', newDefaultGroup());
      for (const [id, limits] of Object.entries(defaultTypes)) transaction.put('type', { id, limits });
      return;
    }
    if (before.name !== options.name) {
      throw failure('vpcOptions', {
        option: '--name',
        value: options.name,
        text: `the state is that of VPC ${before.name}`,
        remedy: `use --name ${before.name}, or another --state`,
      });
    }
    transaction.put('network', withCidrs(networkOf(model.state), options.cidrs ?? []));
  });
}

/** Finishes detachments that a fault held back. Returns whether there were any. */
function letGo(model: Model): boolean {
  return model.transaction((transaction) => {
    const held = [...model.state.nic.values()].filter(({ attachment }) => attachment?.state === 'detaching');
    for (const nic of held) transaction.put('nic', detached(nic));
    return held.length > 0;
  });
}
