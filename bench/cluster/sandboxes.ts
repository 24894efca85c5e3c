/** How long containerd took for each Pod's sandbox: its network namespace, its network by CNI, its first container. Read from containerd's own log. */

/** `RunPodSandbox for name:"…" uid:"…" namespace:"…"`, twice: when it is asked, and with `returns sandbox id` when it answers. */
const line = /^time="([^"]+)" level=info msg="RunPodSandbox for name:\\"[^\\]*\\" +uid:\\"([^\\]+)\\".*?( returns sandbox id .*)?"$/gm;

/** Milliseconds by the Pod's uid, from the first call for it to the answer of the one that succeeded. */
export function sandboxTimes(log: string): ReadonlyMap<string, number> {
  const asked = new Map<string, number>();
  const took = new Map<string, number>();
  for (const [, time = '', uid = '', answer] of log.matchAll(line)) {
    const at_ms = Date.parse(time);
    const asked_ms = asked.get(uid);
    if (asked_ms === undefined) asked.set(uid, at_ms);
    else if (answer !== undefined) took.set(uid, at_ms - asked_ms);
  }
  return took;
}
