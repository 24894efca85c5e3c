/** spec.range of a PodSubnet: addresses that no cloud hands out, on a network that the nodes reach by an interface of their own (a VLAN, bare metal). */
import * as z from 'zod';
import { rules } from './crd/rules.ts';
import { block, ip } from './schema-parts.ts';

const ofFamily = (family: 4 | 6, smallest: string) =>
  z
    .strictObject({
      cidr: block.describe(`the network's IPv${family} block: its length is that of the Pods' addresses`),
      first: ip.exactOptional().describe(`the first address that Pods may get; absent: the first there is`),
      last: ip.exactOptional().describe(`the last; absent: the last there is${smallest}`),
      gateway: ip.exactOptional().describe("the network's router, which no Pod gets; absent: Pods have no way out by this network"),
    })
    .meta(
      rules(
        {
          rule: `cidr(self.cidr).ip().family() == ${family}`,
          message: `is no IPv${family} block: write it below ipv${family === 4 ? 6 : 4}`,
          field: '.cidr',
        },
        ...['first', 'last', 'gateway'].map((key) => ({
          rule: `!has(self.${key}) || cidr(self.cidr).containsIP(self.${key})`,
          message: `${key} lies outside of cidr: correct one of them`,
          field: `.${key}`,
        })),
      ),
    );

/**
 * One member for each family, so that none can be given twice, and what both share stands once. (Two ranges, or a list of them, would have to repeat the
 * interface and could contradict each other.)
 */
export const range = z
  .strictObject({
    parent: z
      .string()
      .min(1)
      .max(15)
      .regex(/^[^\s/]+$/, 'an interface has a name of at most 15 characters, without / and spaces')
      .meta(
        rules({ rule: "self.matches('^[^\\\\s/]+$')", message: 'an interface has a name of at most 15 characters, without / and spaces' }),
      )
      .describe("the nodes' interface on that network, such as bond0.17: Pods' interfaces are made on it"),
    mtu: z.int().min(1280).max(65_535).default(1500).describe("the network's MTU, in bytes"),
    shared: z
      .boolean()
      .default(false)
      .describe(
        'whether other PodSubnets whose ranges are shared too may have the same addresses in theirs; each is given once all the same',
      ),
    ipv4: ofFamily(4, '').exactOptional().describe('its IPv4 addresses'),
    ipv6: ofFamily(6, '; nodes get a /80 at a time, so there must be a whole one without the gateway')
      .exactOptional()
      .describe('its IPv6 addresses'),
  })
  .describe('in place of a cloud subnet: addresses of a network without a cloud');

/** A range that was read. */
export type Range = z.infer<typeof range>;
