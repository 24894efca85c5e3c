/** Connection marks: the number of an interface, spread over the bits of a mask that other programs leave free. */

/** How many interfaces the mask can tell apart (0 means none). */
function interfacesIn(mask: number): number {
  return 2 ** bitsIn(mask).length - 1;
}

/**
 * The mark of the interface with that device index (0 is the first): index + 1, its bits laid into the bits of the mask, lowest first.
 * @throws RangeError when the mask has too few bits.
 */
export function markOf(deviceIndex: number, mask: number): number {
  if (deviceIndex + 1 > interfacesIn(mask)) throw new RangeError(`mask 0x${mask.toString(16)} has no room for interface ${deviceIndex}`);
  let mark = 0;
  for (const [position, bit] of bitsIn(mask).entries()) if (((deviceIndex + 1) >>> position) & 1) mark += bit;
  return mark;
}

function bitsIn(mask: number): number[] {
  return Array.from({ length: 32 }, (_, i) => 2 ** i).filter((bit) => Math.floor(mask / bit) % 2 === 1);
}
