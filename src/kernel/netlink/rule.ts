/** Routing-policy rules: rtnetlink RTM_*RULE (linux/fib_rules.h). */
import { type Family, ipToBytes } from '../../net/address.ts';
import { type Cidr, firstOf, lengthOf } from '../../net/cidr.ts';
import { AF_INET, AF_INET6, afOf } from './address.ts';
import { attributesOf, flag, Message, type Received, textOf, u32Of } from './message.ts';
import { destinationOf } from './route.ts';

/** Message types (linux/rtnetlink.h), attributes and actions (linux/fib_rules.h). */
const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
const RTM_GETRULE = 34;
const FRA = { dst: 1, src: 2, iifname: 3, priority: 6, fwmark: 10, table: 15, fwmask: 16, protocol: 21 } as const;
const FR_ACT_TO_TBL = 1;

/** A rule that sends what matches to a table. */
export interface Rule {
  readonly family: Family;
  readonly priority: number;
  readonly from?: Cidr;
  readonly to?: Cidr;
  readonly mark?: { readonly value: number; readonly mask: number };
  /** Name of the incoming interface. */
  readonly iif?: string;
  readonly table: number;
  /** rtnetlink protocol number: who made it. */
  readonly protocol: number;
}

/** Adds the rule; refused with EEXIST when it is there. */
export function newRule(rule: Rule): Message {
  return ruleMessage(RTM_NEWRULE, flag.create | flag.excl, rule);
}

/** Removes a rule. ENOENT when it is not there. */
export function deleteRule(rule: Rule): Message {
  return ruleMessage(RTM_DELRULE, 0, rule);
}

/** Asks for all rules of a family: the kernel knows no filter and no single lookup. */
export function dumpRules(family: Family): Message {
  const fixed = Buffer.alloc(12);
  fixed.writeUInt8(afOf(family), 0);
  return new Message(RTM_GETRULE, 0, fixed);
}

/** An answer or event about a rule that leads to a table; undefined for everything else. */
export function decodeRule(received: Received): Rule | undefined {
  const { payload } = received;
  if ((received.type !== RTM_NEWRULE && received.type !== RTM_DELRULE) || payload.length < 12) return undefined;
  const af = payload.readUInt8(0);
  if ((af !== AF_INET && af !== AF_INET6) || payload.readUInt8(7) !== FR_ACT_TO_TBL) return undefined;
  const family = af === AF_INET ? 4 : 6;
  const attributes = attributesOf(payload, 12);
  const [toLength, fromLength] = [payload.readUInt8(1), payload.readUInt8(2)];
  const to = toLength === 0 ? undefined : destinationOf(family, toLength, attributes.get(FRA.dst));
  const from = fromLength === 0 ? undefined : destinationOf(family, fromLength, attributes.get(FRA.src));
  const value = u32Of(attributes, FRA.fwmark);
  const iif = textOf(attributes, FRA.iifname);
  return {
    family,
    priority: u32Of(attributes, FRA.priority) ?? 0,
    table: u32Of(attributes, FRA.table) ?? payload.readUInt8(4),
    protocol: attributes.get(FRA.protocol)?.[0] ?? 0,
    ...(to !== undefined && { to }),
    ...(from !== undefined && { from }),
    ...(value !== undefined && { mark: { value, mask: u32Of(attributes, FRA.fwmask) ?? 0xffff_ffff } }),
    ...(iif !== undefined && { iif }),
  };
}

function ruleMessage(type: number, flags: number, rule: Rule): Message {
  const fixed = Buffer.alloc(12);
  fixed.writeUInt8(afOf(rule.family), 0);
  fixed.writeUInt8(rule.to === undefined ? 0 : lengthOf(rule.to), 1);
  fixed.writeUInt8(rule.from === undefined ? 0 : lengthOf(rule.from), 2);
  fixed.writeUInt8(rule.table < 256 ? rule.table : 0, 4);
  fixed.writeUInt8(FR_ACT_TO_TBL, 7);
  const message = new Message(type, flags, fixed);
  if (rule.to !== undefined) message.bytesAttribute(FRA.dst, ipToBytes(firstOf(rule.to)));
  if (rule.from !== undefined) message.bytesAttribute(FRA.src, ipToBytes(firstOf(rule.from)));
  if (rule.iif !== undefined) message.text(FRA.iifname, rule.iif);
  if (rule.mark !== undefined) message.u32(FRA.fwmark, rule.mark.value).u32(FRA.fwmask, rule.mark.mask);
  return message.u32(FRA.priority, rule.priority).u32(FRA.table, rule.table).u8(FRA.protocol, rule.protocol);
}
