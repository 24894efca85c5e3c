/**
 * attach(), and on a network that no cloud polices one thing more: before a Pod uses an address, the network is asked whether somebody else has it.
 *
 * Invariants
 * - asked once the attachment is committed: a crash meanwhile leaves what any ADD leaves that was not answered, and no other Pod gets the address
 * - one that somebody has is quarantined before its lease ends, so that nobody is given it in between
 * - where nobody can be asked, no Pod is made
 */
import type { AttachedInterface } from '../datapath/interface.ts';
import { type Failure, failure, isFailure } from '../errors/failure.ts';
import type { Rival } from '../kernel/ethernet.ts';
import type { Ip } from '../net/address.ts';
import { type Quarantined, quarantine, quarantineOf } from '../store/quarantine.ts';
import type * as stored from '../store/attachments.ts';
import { attach, type AttachRequest, detach, podName } from './attach.ts';
import type { RecordOf } from './interface-record.ts';
import { type Attachment, type CloudPart, keyOf, type NodeAgent } from './node-agent.ts';
import { now_ms } from './pools.ts';
import { unpoliced } from './unpoliced.ts';

/** Attachments one ADD tries. Each that meets somebody costs a moment, and whoever meets so many has a network that a person must look at. */
const TRIES = 4;
/** After waiting for addresses (addressWait_s) it may take so much longer before it gives up. */
const ASKING_ms = 2000;

/**
 * An attachment as attach() commits it, whose addresses nobody else has on their network, as far as anybody can tell: when somebody has them, with others.
 * @throws Failure addressesTaken, networkNotAsked, and as attach(); nothing is leased then.
 */
export async function attachUnrivalled<I extends AttachedInterface>(
  node: NodeAgent,
  cloud: CloudPart,
  request: AttachRequest,
  recordOf: RecordOf<I>,
): Promise<stored.Attachment<I>> {
  const end = performance.now() + cloud.config.addressWait_s * 1000 + ASKING_ms;
  const met: Quarantined[] = [];
  for (let tries = 1; ; tries++) {
    const attachment = await attachInstead(node, cloud, request, met, recordOf);
    const found = await metBy(node, cloud, attachment);
    if (found.length === 0) return attachment;
    giveUp(node, cloud, attachment, found);
    // An address that belongs to the Pod comes again, taken as it is.
    const again = found.some(({ address }) => met.some((before) => before.address === address));
    met.push(...found);
    if (again || tries === TRIES || performance.now() > end) throw taken(cloud, request, met);
  }
}

/** An attachment; when there is none because of what was met, now or a while ago, the error says so. */
async function attachInstead<I extends AttachedInterface>(
  node: NodeAgent,
  cloud: CloudPart,
  request: AttachRequest,
  met: readonly Quarantined[],
  recordOf: RecordOf<I>,
): Promise<stored.Attachment<I>> {
  try {
    return await attach(node, cloud, request, recordOf);
  } catch (error) {
    if (!isFailure(error, 'addressesExhausted') && !isFailure(error, 'addressCooling')) throw error;
    const asked = request.ips.flatMap((address) => quarantineOf(node.database, address, now_ms()) ?? []);
    const why = met.length > 0 ? met : asked;
    throw why.length > 0 ? taken(cloud, request, why, error) : error;
  }
}

/** What of the attachment's addresses somebody else has; all are asked for at the same time. @throws Failure networkNotAsked; nothing is leased then. */
async function metBy(node: NodeAgent, cloud: CloudPart, attachment: Attachment): Promise<Quarantined[]> {
  const { subnet, interface: pod } = attachment;
  const link = unpoliced(cloud, attachment);
  if (link === undefined || cloud.config.conflictRest_s === 0) return [];
  try {
    const own = new Set(node.kernel.addresses().map(({ address }) => address));
    const holders = await Promise.all(
      pod.addresses.map(async (address) => (own.has(address) ? 'this node itself' : holderOf(await node.kernel.findRival(link, address)))),
    );
    const until_ms = now_ms() + cloud.config.conflictRest_s * 1000;
    return pod.addresses.flatMap((address, i) => {
      const holder = holders[i];
      return holder === undefined ? [] : [{ address, subnet, link, holder, until_ms }];
    });
  } catch (error) {
    detach(node, attachment, false);
    throw error;
  }
}

function holderOf(rival: Rival | undefined): string | undefined {
  if (rival === undefined) return undefined;
  return rival.how === 'has' ? rival.mac : `${rival.mac}, which asks for it as well`;
}

/** Ends the attachment, and says who has which address; what nobody has is free at once. @throws Failure store*. */
function giveUp(node: NodeAgent, cloud: CloudPart, attachment: Attachment, found: readonly Quarantined[]): void {
  for (const { address, subnet, link, holder } of found) {
    const rest = `it rests for ${cloud.config.conflictRest_s} s`;
    const why = `${address} of PodSubnet ${subnet}, meant for ${podName(attachment)}, is in use on the network of ${link} by ${holder}: ${rest}`;
    node.log.warn(why, { code: 'FP290', address, holder, link });
  }
  quarantine(node.database, found, now_ms());
  node.attachments.close(attachment, 0);
  node.interrupted.delete(keyOf(attachment));
  const isFound = (ip: Ip): boolean => found.some(({ address }) => address === ip);
  const { addresses } = attachment.interface;
  for (const { address, until_ms } of found) cloud.pools.release(attachment.subnet, [address], until_ms);
  cloud.pools.release(
    attachment.subnet,
    addresses.filter((ip) => !isFound(ip)),
    0,
  );
}

function taken(cloud: CloudPart, request: AttachRequest, met: readonly Quarantined[], cause?: unknown): Failure {
  const holders = met.map(({ address, holder }) => `${address} (${holder})`).join(', ');
  const [subnets, links] = [met.map(({ subnet }) => subnet), met.map(({ link }) => link)].map((names) => [...new Set(names)].join(', '));
  const facts = { pod: podName(request), subnet: subnets ?? '', link: links ?? '', holders, seconds: cloud.config.conflictRest_s };
  return failure('addressesTaken', facts, cause);
}
