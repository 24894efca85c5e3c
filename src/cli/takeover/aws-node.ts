/** The checkpoint of the AWS plugin's daemon: which container has which address. It is rewritten whole with each ADD and DEL. */
import * as z from 'zod';
import type { FormerPod } from '../../agent/adopted/request.ts';
import { failure } from '../../errors/failure.ts';
import { ip } from '../../store/schema-parts.ts';
import { jsonOf, sayIssues } from './json-file.ts';

/** The only version there has been since 1.6 (2019). */
const VERSION = 'vpc-cni-ipam/1';
const NANOSECONDS = 1e6;

const empty = z.literal('').transform(() => undefined);
const checkpoint = z.object({
  version: z.literal(VERSION),
  allocations: z
    .array(
      z.object({
        containerID: z.string().min(1),
        ifName: z.string().default('eth0'),
        ipv4: z.union([empty, ip]).optional(),
        ipv6: z.union([empty, ip]).optional(),
        /** Nanoseconds since the epoch. */
        allocationTimestamp: z.number().min(0).default(0),
        metadata: z.object({ k8sPodNamespace: z.string().optional(), k8sPodName: z.string().optional() }).default({}),
      }),
    )
    .nullable(),
});

/** The Pods in it. @throws Failure takeoverMistaken. */
export function readCheckpoint(path: string): FormerPod[] {
  const read = checkpoint.safeParse(jsonOf('aws-node', path));
  if (!read.success) throw failure('takeoverMistaken', { system: 'aws-node', path, reason: sayIssues(read.error) }, read.error);
  return (read.data.allocations ?? []).map(({ containerID: container, ifName: ifname, ipv4, ipv6, allocationTimestamp, metadata }) => {
    const { k8sPodNamespace: namespace, k8sPodName: name } = metadata;
    const addresses = [ipv4, ipv6].filter((address) => address !== undefined);
    if (addresses.length === 0)
      throw failure('takeoverMistaken', { system: 'aws-node', path, reason: `the allocation of ${container} has no address` });
    const since_ms = allocationTimestamp === 0 ? undefined : Math.floor(allocationTimestamp / NANOSECONDS);
    return { container, ifname, pod: { namespace, name }, addresses, ...(since_ms !== undefined && { since_ms }) };
  });
}
