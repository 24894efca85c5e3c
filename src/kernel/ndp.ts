/** IPv6 neighbour discovery (RFC 4861) as far as address conflicts go (RFC 4862, section 5.4). Pure. */
import { type Ip, ipFromBytes, ipToBytes, parseIp } from '../net/address.ts';
import { type Mac, macFromBytes, macToBytes } from '../net/mac.ts';
import { encodeProgram, LOAD_BYTE, LOAD_WORD } from './bpf.ts';
import { type AddressProtocol, ETHERNET_HEADER, ethernetFrame, keepWhere } from './ethernet.ts';

const ETH_P_IPV6 = 0x86dd;
const ICMP6 = 58;
const SOLICITATION = 135;
const ADVERTISEMENT = 136;
/** Of an advertisement: it replaces what neighbours remember. */
const OVERRIDE = 0x20;
const TARGET_LINK_ADDRESS = 2;
/** What comes from another link has been through a router, which counts it down (RFC 4861, section 7.1). */
const HOP_LIMIT = 255;
/** Offsets in the IPv6 packet; options are all that comes after the target. */
const [NEXT_HEADER, HOPS, SOURCE, ICMP, TARGET, OPTIONS] = [6, 7, 8, 40, 48, 64];
const NOBODY = parseIp('::');
const ALL_NODES = parseIp('ff02::1');

/** Who has an IPv6 address. Whoever advertises it has it; a solicitation from :: is a rival's, any other is somebody's who looks for it. */
export const ndp: AddressProtocol = {
  etherType: ETH_P_IPV6,
  probe: (address, mac) => packet(mac, NOBODY, solicitedNode(address), [SOLICITATION, 0, address]),
  announcement: (address, mac) =>
    packet(mac, address, ALL_NODES, [ADVERTISEMENT, OVERRIDE, address, Buffer.from([TARGET_LINK_ADDRESS, 1, ...macToBytes(mac)])]),
  // The checksum is not looked at: between namespaces of one machine it may be left for hardware to fill in.
  rivalIn(frame, address, own) {
    const ip = frame.subarray(ETHERNET_HEADER);
    if (ip.length < OPTIONS || frame.readUInt16BE(12) !== ETH_P_IPV6) return undefined;
    if (ip[NEXT_HEADER] !== ICMP6 || ip[HOPS] !== HOP_LIMIT || ipFromBytes(ip.subarray(TARGET, OPTIONS)) !== address) return undefined;
    const sender = macFromBytes(frame.subarray(6, 12));
    const mac = (ip[ICMP] === ADVERTISEMENT ? targetMac(ip.subarray(OPTIONS)) : undefined) ?? sender;
    if (mac === own || sender === own) return undefined;
    if (ip[ICMP] === ADVERTISEMENT) return { mac, how: 'has' };
    const isProbe = ip[ICMP] === SOLICITATION && ipFromBytes(ip.subarray(SOURCE, SOURCE + 16)) === NOBODY;
    return isProbe ? { mac, how: 'wants' } : undefined;
  },
  filter(address) {
    const at = ETHERNET_HEADER;
    const bytes = Buffer.from(ipToBytes(address));
    const target = [0, 4, 8, 12].map((i) => ({ load: LOAD_WORD, at: at + TARGET + i, value: bytes.readUInt32BE(i) }) as const);
    const next = { load: LOAD_BYTE, at: at + NEXT_HEADER, value: ICMP6 } as const;
    const type = (value: number) => ({ load: LOAD_BYTE, at: at + ICMP, value }) as const;
    return encodeProgram(keepWhere([SOLICITATION, ADVERTISEMENT].map((value) => [next, type(value), ...target])));
  },
  groups: (address) => [ALL_NODES, solicitedNode(address)],
};

/** ff02::1:ff00:0/104 with the last 24 bits of the address (RFC 4291, section 2.7.1). */
function solicitedNode(address: Ip): Ip {
  const group = ipToBytes(parseIp('ff02::1:ff00:0'));
  group.set(ipToBytes(address).subarray(13), 13);
  return ipFromBytes(group);
}

/** 33:33 and the last four bytes of the group (RFC 2464, section 7). */
export function groupMac(group: Ip): Mac {
  return macFromBytes(Uint8Array.from([0x33, 0x33, ...ipToBytes(group).subarray(12)]));
}

function packet(
  mac: Mac,
  source: Ip,
  destination: Ip,
  [type, flags, target, options = Buffer.alloc(0)]: readonly [type: number, flags: number, target: Ip, options?: Buffer],
): Buffer {
  const icmp = Buffer.concat([Buffer.from([type, 0, 0, 0, flags, 0, 0, 0]), ipToBytes(target), options]);
  const addresses = Buffer.concat([ipToBytes(source), ipToBytes(destination)]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(icmp.length);
  // The pseudo-header of RFC 8200, section 8.1.
  icmp.writeUInt16BE(checksum(Buffer.concat([addresses, Buffer.from([0, 0]), length, Buffer.from([0, 0, 0, ICMP6]), icmp])), 2);
  const header = Buffer.concat([Buffer.from([0x60, 0, 0, 0]), length, Buffer.from([ICMP6, HOP_LIMIT]), addresses]);
  return ethernetFrame(groupMac(destination), mac, ETH_P_IPV6, Buffer.concat([header, icmp]));
}

/** The ones' complement sum of RFC 1071, of an even number of bytes. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += bytes.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** The target's link-layer address among options; undefined when it is missing, of another length, or the options are no options. */
function targetMac(options: Buffer): Mac | undefined {
  for (let at = 0; at + 8 <= options.length; ) {
    const length = (options[at + 1] ?? 0) * 8;
    if (length === 0) return undefined;
    if (options[at] === TARGET_LINK_ADDRESS && length === 8) return macFromBytes(options.subarray(at + 2, at + 8));
    at += length;
  }
  return undefined;
}
