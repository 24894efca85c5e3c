/** Looks into /proc for what an executable started. */
import { readdirSync, readFileSync } from 'node:fs';
import { eventually } from '../life/lab.ts';

/** The first child of a process, waited for. */
export function childOf(parent: number): Promise<number> {
  return eventually(`a child of ${parent}`, () => {
    const found = readdirSync('/proc').find((pid) => /^\d+$/.test(pid) && parentOf(pid) === parent);
    if (found === undefined) throw new Error('none yet');
    return Number(found);
  });
}

/** Whether it runs still; one that only waits to be reaped does not. */
export function isAlive(pid: number): boolean {
  return !['', 'Z', 'X'].includes(statOf(String(pid))[0] ?? '');
}

function parentOf(pid: string): number {
  return Number(statOf(pid)[1]);
}

/** State, parent and what follows in /proc/PID/stat; empty when it is gone. */
function statOf(pid: string): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}
