/** Signals to processes that may end by themselves. */

/** Sends it; false when the process is gone, or was never there. */
export function signalIfThere(pid: number | undefined, signal: NodeJS.Signals): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(pid, signal);
  } catch {
    return false; // it ended a moment ago
  }
}
