/** What the process may do (capabilities(7)): asked once at the start, so that what is missing is said before the first Pod runs into it. */
import { readFileSync } from 'node:fs';
import { failure } from '../errors/failure.ts';

/** Their numbers (include/uapi/linux/capability.h), and what each is for. */
const needed = [
  { name: 'NET_ADMIN', bit: 12n, use: 'links, addresses, routes, rules and nftables' },
  { name: 'SYS_ADMIN', bit: 21n, use: "entering a Pod's network namespace" },
] as const;

/**
 * Nothing when all of them are there; in a container that has a user namespace of its own they may be there and not do, which the kernel says then.
 * `status` is /proc/self/status (proc_pid_status(5)); without a line CapEff in it nobody knows, and nothing is refused.
 * @throws Failure capabilityMissing
 */
export function demandCapabilities(status = readFileSync('/proc/self/status', 'latin1')): void {
  const held = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  if (held === undefined) return;
  const missing = needed.filter(({ bit }) => ((BigInt(`0x${held}`) >> bit) & 1n) === 0n);
  if (missing.length === 0) return;
  throw failure('capabilityMissing', {
    missing: missing.map(({ name }) => `CAP_${name}`).join(' and '),
    uses: missing.map(({ name, use }) => `${name}: ${use}`).join('; '),
  });
}
