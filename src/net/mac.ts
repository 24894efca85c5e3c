/** Ethernet addresses as branded lower-case text, `02:00:5e:00:00:01`. */

/** An Ethernet address in lower-case, colon-separated text. */
export type Mac = string & { readonly __brand: 'Mac' };

/** undefined when the text is no Ethernet address. */
export function tryParseMac(text: string): Mac | undefined {
  return /^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/.test(text) ? (text.toLowerCase() as Mac) : undefined;
}

/** undefined when the text is no address that an interface can have: those of groups and the one of zeros are refused by the kernel (is_valid_ether_addr). */
export function tryParseUnicastMac(text: string): Mac | undefined {
  const mac = tryParseMac(text);
  if (mac === undefined || mac === '00:00:00:00:00:00') return undefined;
  return ((macToBytes(mac)[0] ?? 0) & 1) === 0 ? mac : undefined;
}

/** @throws RangeError that quotes the text. */
export function parseMac(text: string): Mac {
  const mac = tryParseMac(text);
  if (mac === undefined) throw new RangeError(`not an Ethernet address: ${JSON.stringify(text)}`);
  return mac;
}

/** The six bytes on the wire. */
export function macToBytes(mac: Mac): Uint8Array {
  return Uint8Array.from(mac.split(':'), (byte) => Number.parseInt(byte, 16));
}

/** @throws RangeError unless there are six bytes. */
export function macFromBytes(bytes: Uint8Array): Mac {
  if (bytes.length !== 6) throw new RangeError(`an Ethernet address has 6 bytes, not ${bytes.length}`);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':') as Mac;
}

/** A unicast, locally administered address from the first six of the bytes given (a hash, say): the same bytes give the same address. */
export function localMac(seed: Uint8Array): Mac {
  const bytes = seed.slice(0, 6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return macFromBytes(bytes);
}
