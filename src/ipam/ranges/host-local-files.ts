/**
 * The files of a host-local directory (plugins v1.9.1, backend/disk): one for each address, named by it, with the container's id and, since 0.8, on a
 * second line the interface; `last_reserved_ip.N` with the address that was given last out of set N; `lock`.
 */
import { type Ip, tryParseIp } from '../../net/address.ts';

/** What one file says. */
export type HostLocalFile =
  | { readonly kind: 'lease'; readonly address: Ip; readonly container: string; readonly ifname: string }
  | { readonly kind: 'given'; readonly set: string; readonly address: Ip };

/** undefined: a file that says nothing about addresses, or nothing that can be read. */
export function hostLocalFile(name: string, content: string): HostLocalFile | undefined {
  const [, set] = /^last_reserved_ip\.(\d+)$/.exec(name) ?? [];
  const address = tryParseIp(set === undefined ? name : content.trim());
  if (address === undefined) return undefined;
  if (set !== undefined) return { kind: 'given', set, address };
  const [container = '', ifname = ''] = content.split(/\r?\n/).map((line) => line.trim());
  return container === '' ? undefined : { kind: 'lease', address, container, ifname };
}
