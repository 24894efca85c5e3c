/** The shapes of what callers send. Strict: an unknown field is refused; text is checked and made canonical here, once. */
import * as z from 'zod';
import type { InstanceId, NicId, SubnetId } from '../../cloud/cloud.ts';
import { type Cidr, cidrFamily, lengthOf, overlaps, tryParseCidr } from '../../net/cidr.ts';
import type { GroupId, Rule } from '../model/objects.ts';

/** What came by Neutron has the id that it has there. */
const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const idPattern = new RegExp(`^(?:(?:vpc|subnet|nic|i|sg|pub|fault)-[0-9a-f]{17}|${uuid})$`);

/** An id of that prefix, such as `nic-0a1b2c3d4e5f60718`, or one of Neutron's. */
function idOf<T extends string>(prefix: string) {
  return z
    .string()
    .regex(new RegExp(`^(?:${prefix}-[0-9a-f]{17}|${uuid})$`), `an id is "${prefix}-" and 17 hexadecimal digits`)
    .transform((text) => text as T); // the pattern is what the brand promises
}

const anyId = z.string().regex(idPattern, 'an id is a prefix such as "nic-" and 17 hexadecimal digits');
/** Ids of each kind of object. */
export const nicId = idOf<NicId>('nic');
export const instanceId = idOf<InstanceId>('i');
export const subnetId = idOf<SubnetId>('subnet');
const groupId = idOf<GroupId>('sg');

/** A name that a caller gives. */
export const name = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/,
    'a name has lower-case letters, digits, "." and "-", at most 63, and begins and ends with a letter or digit',
  );

/** What makes a creating call repeatable. */
export const clientToken = z.string().regex(/^[!-~]{1,64}$/, 'a client token has 1 to 64 printable ASCII characters without spaces');

/** A CIDR block with zero host bits. */
export const cidr = z.string().transform((text, context): Cidr => {
  const parsed = tryParseCidr(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({
    code: 'custom',
    message: `${JSON.stringify(text.slice(0, 60))} is not a CIDR block with zero host bits, such as 10.20.0.0/24`,
  });
  return z.NEVER;
});

/** A block of that family and length. */
export function cidrBetween(family: 4 | 6, shortest: number, longest: number) {
  return cidr.refine((block) => cidrFamily(block) === family && lengthOf(block) >= shortest && lengthOf(block) <= longest, {
    message: `must be an IPv${family} block from /${shortest} to /${longest}`,
  });
}

const fewTags = 'an object has at most 50 tags';
/** Tags of a new object. */
export const tags = z
  .record(z.string().min(1).max(128), z.string().max(256))
  .refine((all) => Object.keys(all).length <= 50, { message: fewTags });

/** Ids of groups, none twice. */
export const securityGroups = z
  .array(groupId)
  .max(16)
  .refine((ids) => new Set(ids).size === ids.length, { message: 'a group is named twice' });

const count = z.int().min(0).max(256);

/** A block that a NIC may hold. */
const heldBlock = cidr.refine((block) => (cidrFamily(block) === 4 ? [32, 28] : [128, 80]).includes(lengthOf(block)), {
  message: 'a NIC holds blocks of /32, /28, /128 and /80',
});
const these = z
  .array(heldBlock)
  .max(256)
  .refine((blocks) => !blocks.some((block, i) => blocks.slice(i + 1).some((other) => overlaps(block, other))), {
    message: 'two of the blocks share an address',
  });
/** How many blocks of each kind, and blocks by value: at least one in all. `these` and `within` have no default: requests from before they were there keep their digest. */
export const wanted = z
  .strictObject({
    addresses4: count.default(0),
    prefixes4: count.default(0),
    prefixes6: count.default(0),
    these: these.optional(),
    within: z.array(cidr).max(256).optional(),
  })
  .refine((want) => want.addresses4 + want.prefixes4 + want.prefixes6 + (want.these?.length ?? 0) > 0, {
    message: 'at least one count must be above 0, or a block be given',
  });

/** What an instance type allows. */
export const limits = z.strictObject({
  nics: z.int().min(1).max(64),
  addressSlotsPerNic: z.int().min(1).max(256),
  ipv6SlotsPerNic: z.int().min(0).max(256),
  branches: z.int().min(0).max(1024).exactOptional(),
});

const port = z.int().min(0).max(65_535);
const ports = z.strictObject({ from: port, to: port }).refine(({ from, to }) => from <= to, { message: '"from" is above "to"' });

const rule = z
  .strictObject({
    direction: z.enum(['ingress', 'egress']),
    protocol: z.enum(['any', 'tcp', 'udp', 'icmp']),
    ports: ports.optional(),
    cidr: cidr.optional(),
    group: z.union([groupId, z.literal('self')]).optional(),
  })
  .refine((one) => (one.cidr === undefined) !== (one.group === undefined), { message: 'a rule names exactly one of cidr and group' })
  .refine((one) => one.ports === undefined || one.protocol === 'tcp' || one.protocol === 'udp', {
    message: 'ports go with tcp and udp only',
  });
/** Rules of a security group. */
export const rules = z.array(rule).max(60);

/** The rules with `self` replaced by the group's own id. */
export function rulesOf(given: z.infer<typeof rules>, self: GroupId): Rule[] {
  return given.map(({ direction, protocol, ports: range, cidr: peer, group }) => ({
    direction,
    protocol,
    ...(range === undefined ? {} : { ports: range }),
    ...(peer === undefined ? {} : { cidr: peer }),
    ...(group === undefined ? {} : { group: group === 'self' ? self : group }),
  }));
}

const repeated = <T extends z.ZodType>(item: T) => z.array(item).max(1000).optional();
/** Page and filter of a list. Values of a query are text; `limit` is read as a number. */
const page = {
  limit: z
    .array(z.string().regex(/^\d{1,4}$/, 'must be a number'))
    .length(1)
    .optional(),
  after: z.array(z.string().max(64)).length(1).optional(),
};
/** Queries of the lists. */
export const idsAndNames = z.strictObject({ id: repeated(anyId), name: repeated(name), ...page });
export const onlyPage = z.strictObject(page);
export const nicQuery = z.strictObject({
  id: repeated(nicId),
  instance: repeated(instanceId),
  subnet: z.array(subnetId).length(1).optional(),
  tag: repeated(z.string().regex(/^[^=]+=/s, 'must be key=value')),
  ...page,
});
/** No body, no query. */
export const nothing = z.strictObject({});
