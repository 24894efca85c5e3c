/** Classic BPF (linux/filter.h, Documentation/networking/filter.rst): programs by which the kernel drops what a socket does not want, before it wakes us. */

/** Codes of instructions. Loads are big-endian, at an offset from the packet's begin. */
export const LOAD_WORD = 0x20;
export const LOAD_HALF = 0x28;
export const LOAD_BYTE = 0x30;
/** Skips `ifTrue` instructions where the loaded value equals the operand, else `ifFalse`. */
export const JUMP_EQUAL = 0x15;
/** Ends: keeps so many bytes of the packet, 0 for none of it. */
export const RETURN = 0x06;

/** One struct sock_filter. */
export type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

/** The bytes that SO_ATTACH_FILTER takes. */
export function encodeProgram(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.allocUnsafeSlow(program.length * 8);
  for (const [i, [code, ifTrue, ifFalse, operand]] of program.entries()) {
    bytes.writeUInt16LE(code, i * 8);
    bytes.writeUInt8(ifTrue, i * 8 + 2);
    bytes.writeUInt8(ifFalse, i * 8 + 3);
    bytes.writeUInt32LE(operand, i * 8 + 4);
  }
  return bytes;
}
