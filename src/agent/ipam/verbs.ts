/** A CNI request to the IPAM plugin, from its frame to its reply. The agent answers it, or a process of its own where there is no agent; both keep the same books. */
import {
  type Asked,
  type AttachmentAsked,
  type NetworkAsked,
  parseAsked,
  prevResultIn,
  releaseByName,
  type ReleaseAsked,
  type Unread,
} from '../../cni/asked.ts';
import type { RequestFrame } from '../../cni/frame.ts';
import { type IpamConfig, scopesOf } from '../../cni/ipam/config.ts';
import { readIpam } from '../../cni/ipam/read.ts';
import { resultReply, silentReply, versionReply } from '../../cni/reply.ts';
import { parseArgs } from '../../cni/args.ts';
import { type AttachmentName, readValidAttachments } from '../../cni/valid-attachments.ts';
import { asFailure, sentence } from '../../errors/failure.ts';
import type { Log } from '../../log.ts';
import type { RangeLease, RangeLeases } from '../../store/range-leases.ts';
import { type Answered, answering, nothing } from '../answered.ts';
import { checkLeases } from './check.ts';
import { readText } from './files.ts';
import { leaseAddresses } from './lease.ts';
import type { PodSubnetLeases } from './subnet-leases.ts';
import { takeOverDirectory } from './take-over.ts';
import type { Taker } from './taker.ts';
import { theirReply } from './their-words.ts';

/** What it works with. */
export interface IpamBooks {
  /** Of ranges that this node has for itself. */
  readonly leases: RangeLeases;
  /** Of PodSubnets, whose ranges nodes share. */
  readonly podSubnets: PodSubnetLeases;
  readonly log: Log;
}

const silent: Answered = { reply: silentReply, after: nothing };

/** Answers; rejects never. */
export function answerIpam(books: IpamBooks, frame: RequestFrame): Promise<Answered> {
  return answering(books.log, frame, async () => {
    try {
      return await perform(books, frame);
    } catch (error) {
      const reply = theirReply(error, frame);
      if (reply === undefined) throw error;
      return { reply, after: nothing };
    }
  });
}

async function perform(books: IpamBooks, { variables, stdin }: RequestFrame): Promise<Answered> {
  const asked = parseAsked(variables, stdin);
  const plugin = variables.get('FLATPOD_PLUGIN');
  switch (asked.verb) {
    case 'version':
      return { reply: versionReply(asked.cniVersion), after: nothing };
    case 'add':
      return await add(books, asked, configOf(books, asked, plugin));
    case 'check':
      check(books, asked, configOf(books, asked, plugin));
      return silent;
    case 'del':
      await release(books, asked, plugin);
      return silent;
    case 'gc':
      await collect(books, asked, configOf(books, asked, plugin));
      return silent;
    case 'status':
      status(books, readIpam(asked, plugin, readText));
      return silent;
  }
}

/** The configuration, after what host-local kept for it was taken over. */
function configOf({ leases, log }: IpamBooks, asked: Asked & Unread, plugin: string | undefined): IpamConfig {
  const config = readIpam(asked, plugin, readText);
  if (config.dialect === 'host-local') for (const scope of scopesOf(config)) takeOverDirectory(leases, log, scope, config.network);
  return config;
}

function status({ podSubnets }: IpamBooks, config: IpamConfig): void {
  if (podSubnets.serves(config)) podSubnets.ready(config);
}

async function add({ leases, podSubnets, log }: IpamBooks, asked: AttachmentAsked, config: IpamConfig): Promise<Answered> {
  const bySubnet = podSubnets.serves(config);
  const leased = bySubnet ? await podSubnets.add(asked, config) : leaseAddresses(leases, config, takerOf(asked));
  const ips = [...leased, ...config.fixed];
  const reply = resultReply({ interfaces: [], ips, routes: config.routes, dns: config.dns }, asked.cniVersion);
  log.debug(`${ips.map(({ address }) => address).join(', ')} for ${asked.container}/${asked.ifname}`);
  return { reply, after: bySubnet ? () => podSubnets.answered(asked) : nothing };
}

function check({ leases, podSubnets }: IpamBooks, asked: AttachmentAsked, config: IpamConfig): void {
  const bySubnet = podSubnets.serves(config);
  if (bySubnet) podSubnets.check(asked, prevResultIn(asked));
  checkLeases(leases, bySubnet ? { ...config, sets: [] } : config, asked, prevResultIn(asked));
}

function takerOf({ container, ifname, args }: AttachmentAsked): Taker {
  const { namespace, name } = parseArgs(args).pod;
  return { container, ifname, pod: name === undefined ? '' : `${namespace ?? ''}/${name}` };
}

/** DEL needs nothing but names: a configuration that cannot be read any more, or that has become another, must not keep an address. */
async function release(
  books: IpamBooks,
  asked: ReleaseAsked,
  plugin: string | undefined,
  upTo_ms = Number.MAX_SAFE_INTEGER,
): Promise<void> {
  let config: IpamConfig | undefined;
  try {
    config = configOf(books, asked, plugin);
  } catch (error) {
    books.log.warn(`DEL of ${asked.container}/${asked.ifname} goes on without its configuration: ${sentence(asFailure(error))}`);
  }
  await books.podSubnets.release(asked, asked.network, upTo_ms);
  endOlder(books, config, asked, upTo_ms, isOf(asked.network, config));
}

/** Carries out a DEL that was kept because nobody could be asked; of a configuration that nobody can read all that the interface has. @throws Failure when the disk refuses. */
export async function releaseKept(books: IpamBooks, { variables, stdin }: RequestFrame, at_ms: number): Promise<void> {
  const names = releaseByName(variables);
  let asked: ReturnType<typeof parseAsked>;
  try {
    asked = parseAsked(variables, stdin);
  } catch (error) {
    books.log.warn(`the kept DEL of ${names.container}/${names.ifname} goes on by its names alone: ${sentence(asFailure(error))}`);
    await books.podSubnets.release(names, undefined, at_ms);
    endOlder(books, undefined, names, at_ms, () => true);
    return;
  }
  if (asked.verb === 'del') await release(books, asked, variables.get('FLATPOD_PLUGIN'), at_ms);
}

function endOlder(
  { leases }: IpamBooks,
  config: IpamConfig | undefined,
  { container, ifname }: AttachmentName,
  upTo_ms: number,
  isMeant: (lease: RangeLease) => boolean,
): void {
  leases.change(() => {
    const own = leases.of(undefined, container, ifname).filter((lease) => lease.since_ms <= upTo_ms && isMeant(lease));
    end(leases, config, own);
  });
}

/**
 * Whether a lease is the network's: of what is configured, or from when it was written otherwise. Another folder of host-local's is another world, whatever
 * its networks are called. Without a configuration all that has the network's name.
 */
function isOf(name: string, config: IpamConfig | undefined): (lease: RangeLease) => boolean {
  const scopes = config && scopesOf(config);
  return ({ network, scope }) => scopes?.includes(scope) === true || (network === name && (scopes === undefined || !scope.startsWith('/')));
}

/** The addresses rest, for those who still talk to their last owner. */
function end(leases: RangeLeases, config: IpamConfig | undefined, ended: readonly RangeLease[]): void {
  const cooldown_ms = config?.cooldown.ms ?? usualCooldown_ms;
  for (const lease of ended) leases.release(lease, cooldown_ms === 0 ? 0 : Date.now() + cooldown_ms);
}
const usualCooldown_ms = 120_000;

/** GC: without a list from the runtime nothing is known to be stale. */
async function collect({ leases, podSubnets, log }: IpamBooks, asked: NetworkAsked, config: IpamConfig): Promise<void> {
  const valid = readValidAttachments(asked.object);
  if (valid === undefined) return;
  const living = new Set(valid.map(({ container, ifname }) => `${container}/${ifname}`));
  await podSubnets.collect(asked.network, living);
  const isOfNetwork = isOf(asked.network, config);
  leases.change(() => {
    // Another network may share a scope with this one.
    const own = leases.list().filter((lease) => lease.network === asked.network && isOfNetwork(lease));
    const stale = own.filter(({ container, ifname }) => !living.has(`${container}/${ifname}`));
    end(leases, config, stale);
    for (const { address, container, ifname } of stale) log.info(`GC released ${address} of ${container}/${ifname}`);
  });
}
