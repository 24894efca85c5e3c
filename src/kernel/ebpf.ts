/**
 * Programs that the kernel runs for each packet (eBPF; linux/bpf.h): assembled here, loaded by bpf(2). What is loaded lives as long as its descriptor or
 * whatever it was attached to.
 */
import { closeSync } from 'node:fs';
import { errnoName } from './errno.ts';
import { native } from './native.ts';

const PROG_LOAD = 5;
const SCHED_CLS = 3;
const LOG_BYTES = 16_384;

/** One instruction of 8 bytes (linux/bpf.h, struct bpf_insn). */
export interface Instruction {
  readonly code: number;
  readonly dst?: number;
  readonly src?: number;
  readonly offset?: number;
  readonly immediate?: number;
}

/** The few instructions that are needed, named as in the kernel's own macros (linux/filter.h). Registers are 0 to 10; r1 is the packet at the beginning. */
export const ebpf = {
  /** dst = *(u32 *)(src + offset) */
  load: (dst: number, src: number, offset: number): Instruction => ({ code: 0x61, dst, src, offset }),
  move: (dst: number, src: number): Instruction => ({ code: 0xbf, dst, src }),
  set: (dst: number, immediate: number): Instruction => ({ code: 0xb7, dst, immediate }),
  and: (dst: number, immediate: number): Instruction => ({ code: 0x57, dst, immediate }),
  /** Passes over so many instructions when the register is that, or is not. */
  skipIf: (dst: number, immediate: number, offset: number): Instruction => ({ code: 0x15, dst, immediate, offset }),
  skipUnless: (dst: number, immediate: number, offset: number): Instruction => ({ code: 0x55, dst, immediate, offset }),
  /** Calls a helper of the kernel with r1 … r5; its answer is in r0. */
  call: (helper: number): Instruction => ({ code: 0x85, immediate: helper }),
  exit: (): Instruction => ({ code: 0x95 }),
} as const;

/** What a program may call (linux/bpf.h, enum bpf_func_id). */
export const kernelFunction = { vlanPush: 18, vlanPop: 19, redirect: 23 } as const;

/** Fields of r1 (linux/bpf.h, struct __sk_buff). */
export const packet = { vlanPresent: 20, vlanTci: 24, vlanProtocol: 28 } as const;

/** What a program says of the packet (linux/pkt_cls.h). */
export const verdict = { goOn: 0, drop: 2 } as const;

/** A program that is loaded. */
export interface LoadedProgram extends Disposable {
  readonly fd: number;
}

/** Loads a program for packets of a link (traffic.ts attaches it). @throws Error with the kernel's own words when it refuses. */
export function loadPacketProgram(program: readonly Instruction[]): LoadedProgram {
  const bytes = assembled(program);
  const license = Buffer.alloc(16); // not out of Buffer's pool: the kernel is told where it is
  license.write('Dual BSD/GPL');
  const log = Buffer.alloc(LOG_BYTES);
  const attributes = Buffer.alloc(128); // union bpf_attr; unknown tails must be zero
  attributes.writeUInt32LE(SCHED_CLS, 0);
  attributes.writeUInt32LE(program.length, 4);
  attributes.writeBigUInt64LE(native.addressOf(bytes), 8);
  attributes.writeBigUInt64LE(native.addressOf(license), 16);
  attributes.writeUInt32LE(1, 24);
  attributes.writeUInt32LE(log.length, 28);
  attributes.writeBigUInt64LE(native.addressOf(log), 32);
  const fd = native.bpf(PROG_LOAD, attributes);
  if (fd >= 0) return { fd, [Symbol.dispose]: () => closeSync(fd) };
  const words = log.toString('utf8', 0, Math.max(0, log.indexOf(0))).trim();
  throw new Error(`the kernel does not load a packet program: ${errnoName(fd)}${words === '' ? '' : `: ${words}`}`);
}

function assembled(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(8 * program.length);
  for (const [i, { code, dst = 0, src = 0, offset = 0, immediate = 0 }] of program.entries()) {
    bytes.writeUInt8(code, 8 * i);
    bytes.writeUInt8((src << 4) | dst, 8 * i + 1);
    bytes.writeInt16LE(offset, 8 * i + 2);
    bytes.writeInt32LE(immediate, 8 * i + 4);
  }
  return bytes;
}
