/** Keys and data of nftables sets and maps as bytes. The kernel knows their length alone; what they mean is nft(8)'s business (its datatype.h). */
import { type Ip, ipFromBytes, ipToBytes } from '../net/address.ts';

/** IFNAMSIZ: an interface name with its NUL. */
const IFNAMSIZ = 16;

/** A key or datum: ipv4_addr or ipv6_addr, ifname, mark. */
export type SetValue = { readonly ip: Ip } | { readonly ifname: string } | { readonly mark: number };

/** nft(8)'s numbers of the types that we read; the kernel keeps them for whoever lists a set. */
const typeNumber = { ipv4: 7, ipv6: 8, mark: 19, ifname: 41 } as const;

/** What the kernel compares. @throws RangeError for an interface name that no interface can have. */
export function bytesOfValue(value: SetValue): Uint8Array {
  if ('ip' in value) return ipToBytes(value.ip);
  if ('mark' in value) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value.mark); // host order, as the packet's mark is
    return bytes;
  }
  const name = Buffer.from(value.ifname);
  if (name.length === 0 || name.length >= IFNAMSIZ) throw new RangeError(`not an interface name: ${JSON.stringify(value.ifname)}`);
  return Buffer.concat([name], IFNAMSIZ);
}

/** The value of a set whose type has that number; undefined for other types and for bytes of another length. */
export function valueOfBytes(bytes: Buffer, type: number): SetValue | undefined {
  if (type === typeNumber.ipv4 && bytes.length === 4) return { ip: ipFromBytes(bytes) };
  if (type === typeNumber.ipv6 && bytes.length === 16) return { ip: ipFromBytes(bytes) };
  if (type === typeNumber.mark && bytes.length === 4) return { mark: bytes.readUInt32LE(0) };
  if (type !== typeNumber.ifname || bytes.length !== IFNAMSIZ) return undefined;
  const nul = bytes.indexOf(0);
  return { ifname: bytes.toString('utf8', 0, nul < 0 ? IFNAMSIZ : nul) };
}
