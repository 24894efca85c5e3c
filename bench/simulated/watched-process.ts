/** What a process costs: CPU and memory, as the kernel counts them (proc(5)). */
import { readFileSync } from 'node:fs';

/** Of USER_HZ, which is 100 on every architecture of ours. */
const TICK_ms = 10;

/** CPU of the process since its start, all its threads together, in milliseconds. */
export function cpu_ms(pid: number): number {
  // The name of the program, which may hold blanks, is the last in brackets.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_ms;
}

/** Resident memory now, and the most there was, in MiB. */
export function memory_mib(pid: number): { readonly now: number; readonly most: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const read = (key: string): number => Number(new RegExp(`${key}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
  return { now: read('VmRSS'), most: read('VmHWM') };
}
