/** ARP (RFC 826) as far as address conflicts go (RFC 5227): probes, announcements, and who claims an address by one. Pure. */
import { type Ip, ipFromBytes, ipToBytes, parseIp } from '../net/address.ts';
import { type Mac, macFromBytes, macToBytes } from '../net/mac.ts';
import { encodeProgram, LOAD_WORD } from './bpf.ts';
import { type AddressProtocol, BROADCAST, ETHERNET_HEADER, ethernetFrame, keepWhere } from './ethernet.ts';

const ETH_P_ARP = 0x0806;
/** Ethernet and IPv4, with addresses of 6 and of 4 bytes. */
const KIND = Buffer.from([0, 1, 8, 0, 6, 4]);
const REQUEST = 1;
const LENGTH = 28;
/** Offsets in the packet. */
const [SENDER_MAC, SENDER_IP, TARGET_IP] = [8, 14, 24];
const NOBODY = parseIp('0.0.0.0');

/** Who has an IPv4 address. A sender address that is the one in question claims it, in requests and replies alike; a probe for it (sender 0.0.0.0) is a rival's. */
export const arp: AddressProtocol = {
  etherType: ETH_P_ARP,
  probe: (address, mac) => request(mac, NOBODY, address),
  announcement: (address, mac) => request(mac, address, address),
  rivalIn(frame, address, own) {
    const packet = frame.subarray(ETHERNET_HEADER);
    if (packet.length < LENGTH || frame.readUInt16BE(12) !== ETH_P_ARP || !packet.subarray(0, KIND.length).equals(KIND)) return undefined;
    const mac = macFromBytes(packet.subarray(SENDER_MAC, SENDER_MAC + 6));
    if (mac === own) return undefined;
    const sender = ipFromBytes(packet.subarray(SENDER_IP, SENDER_IP + 4));
    if (sender === address) return { mac, how: 'has' };
    const target = ipFromBytes(packet.subarray(TARGET_IP, TARGET_IP + 4));
    return sender === NOBODY && target === address && packet.readUInt16BE(6) === REQUEST ? { mac, how: 'wants' } : undefined;
  },
  filter(address) {
    const value = Buffer.from(ipToBytes(address)).readUInt32BE();
    const at = (offset: number) => [{ load: LOAD_WORD, at: ETHERNET_HEADER + offset, value } as const];
    return encodeProgram(keepWhere([at(SENDER_IP), at(TARGET_IP)]));
  },
  groups: () => [],
};

function request(mac: Mac, sender: Ip, target: Ip): Buffer {
  const operation = Buffer.from([0, REQUEST]);
  const packet = [KIND, operation, macToBytes(mac), ipToBytes(sender), Buffer.alloc(6), ipToBytes(target)];
  return ethernetFrame(BROADCAST, mac, ETH_P_ARP, Buffer.concat(packet));
}
