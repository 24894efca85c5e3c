/** What a driver inside Neutron's ML2 plugin tells of: one change of one object, in Neutron's own field names (its Networking API v2.0). */
import * as z from 'zod';
import { tryParseCidr } from '../../net/cidr.ts';
import { tryParseIp } from '../../net/address.ts';
import { tryParseMac } from '../../net/mac.ts';

const made = <T>(parse: (text: string) => T | undefined, what: string) =>
  z.string().transform((text, context): T => {
    const parsed = parse(text);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: 'custom', message: `${JSON.stringify(text.slice(0, 60))} is no ${what}` });
    return z.NEVER;
  });
const ip = made(tryParseIp, 'address');
const cidr = made(tryParseCidr, 'block');
/** A pair names an address or a block. */
const addresses = made((text) => tryParseCidr(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`), 'address or block');
const mac = made((text) => tryParseMac(text.toLowerCase()), 'Ethernet address');
/** Names of links and namespaces are made of it. */
const id = z.string().regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/, 'is no UUID');

/** Absent and null are the same. */
const maybe = <T extends z.ZodType>(value: T) => value.nullish().transform((given) => given ?? undefined);

const network = z.object({ id, name: z.string(), mtu: z.int().min(68).max(65_535) });
const subnet = z.object({ id, network_id: id, cidr, gateway_ip: ip.nullable() });
const port = z.object({
  id,
  name: z.string(),
  network_id: id,
  mac_address: mac,
  admin_state_up: z.boolean(),
  /** A server's id, or whatever the owner wrote there. */
  device_id: z.string(),
  device_owner: z.string(),
  fixed_ips: z.array(z.object({ subnet_id: id, ip_address: ip })),
  allowed_address_pairs: z.array(z.object({ ip_address: addresses, mac_address: mac })).nullable(),
  port_security_enabled: z.boolean().nullable(),
  security_groups: z.array(id),
  /** As they were when it was made or last changed: Neutron does not tell of a change of tags alone. */
  tags: maybe(z.array(z.string())),
  'binding:vif_type': z.string().nullable(),
});
const rule = z.object({
  id,
  security_group_id: id,
  direction: z.enum(['ingress', 'egress']),
  ethertype: z.enum(['IPv4', 'IPv6']),
  protocol: maybe(z.string()),
  port_range_min: maybe(z.int()),
  port_range_max: maybe(z.int()),
  remote_ip_prefix: maybe(addresses),
  remote_group_id: maybe(id),
});
const group = z.object({ id, name: z.string(), security_group_rules: z.array(rule) });
const subports = z.array(z.object({ port_id: id, segmentation_type: z.string(), segmentation_id: z.int().min(0).max(4095) }));
const trunk = z.object({ trunk_id: id, port_id: maybe(id), sub_ports: subports });

/** Neutron's objects, as far as a fabric cares. */
export type NeutronNetwork = z.output<typeof network>;
export type NeutronSubnet = z.output<typeof subnet>;
export type NeutronPort = z.output<typeof port>;
export type NeutronRule = z.output<typeof rule>;

const changed = <K extends string, T extends z.ZodType>(kind: K, now: T) =>
  z.object({ kind: z.literal(kind), what: z.enum(['create', 'update']), now });
/** Of what is gone the id is enough. */
const gone = z.object({
  kind: z.enum(['network', 'subnet', 'port', 'security_group', 'security_group_rule']),
  what: z.literal('delete'),
  now: z.object({ id }),
});

/** A change of an object with an id. */
const objectEvent = z.union([
  gone,
  changed('network', network),
  changed('subnet', subnet),
  changed('port', port),
  changed('security_group', group),
  changed('security_group_rule', rule),
]);
/** `sub_ports`: those that were added or removed; of a trunk, all. */
const trunkEvent = z.object({ kind: z.enum(['trunk', 'subports']), what: z.enum(['create', 'delete']), now: trunk });

/** One change. Fields that nothing here asks for are not looked at. */
export const event = z.union([objectEvent, trunkEvent]);
export type ObjectEvent = z.output<typeof objectEvent>;
export type TrunkEvent = z.output<typeof trunkEvent>;
