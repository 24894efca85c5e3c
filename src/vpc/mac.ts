/**
 * Ethernet addresses of the VPC. All have one and the same Internet checksum (RFC 1071): so one can take another's place in a neighbour
 * advertisement without touching the checksum of the packet, which nftables cannot do there (fabric/ports.nft).
 */
import { type Mac, macFromBytes, macToBytes, parseMac } from '../net/mac.ts';

/** Every router port of the VPC. */
export const gatewayMac = parseMac('02:00:5e:00:00:01');
const CHECKSUM = 0x0200 + 0x5e00 + 0x0001;

/** A unicast, locally administered address from four random bytes. */
export function nicMac(random: Uint8Array): Mac {
  const [a = 0, b = 0, c = 0, d = 0] = random;
  const first = (((a & 0xfc) | 0x02) << 8) | b;
  const second = (c << 8) | d;
  // Ones' complement arithmetic is arithmetic modulo 0xffff.
  const third = (((CHECKSUM - first - second) % 0xffff) + 0xffff) % 0xffff;
  const bytes = new Uint8Array(6);
  const view = new DataView(bytes.buffer);
  for (const [i, word] of [first, second, third].entries()) view.setUint16(2 * i, word);
  return macFromBytes(bytes);
}

/** Whether it has the checksum that all of the VPC's have. One that a front brought along need not. */
export function isInterchangeable(mac: Mac): boolean {
  const bytes = macToBytes(mac);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return (view.getUint16(0) + view.getUint16(2) + view.getUint16(4)) % 0xffff === CHECKSUM % 0xffff;
}
