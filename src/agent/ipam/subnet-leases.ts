/** What the IPAM plugin's verbs ask of PodSubnets: an agent answers (subnet-verbs.ts), or a process that answers once (without-agent.ts). */
import type { AttachmentAsked } from '../../cni/asked.ts';
import type { IpamConfig } from '../../cni/ipam/config.ts';
import type { Result, ResultIp } from '../../cni/result.ts';
import type { AttachmentName } from '../../cni/valid-attachments.ts';

/** See the head of this file. All may throw Failure. */
export interface PodSubnetLeases {
  /** Whether the configuration's addresses come from one. */
  serves(config: IpamConfig): boolean;
  /** Returns when it could. */
  ready(config: IpamConfig): void;
  /** Commits the lease. */
  add(asked: AttachmentAsked, config: IpamConfig): Promise<readonly ResultIp[]>;
  /** The answer to that ADD is out. */
  answered(of: AttachmentName): void;
  check(of: AttachmentName, prevResult: Result | undefined): void;
  /** Ends the lease, when it is of that network (absent: of any) and not younger than `upTo_ms`; succeeds when there is none. */
  release(of: AttachmentName, network: string | undefined, upTo_ms: number): Promise<void>;
  /** Ends those of the network whose interface, as `container/ifname`, is not among the living. */
  collect(network: string, living: ReadonlySet<string>): Promise<void>;
}
