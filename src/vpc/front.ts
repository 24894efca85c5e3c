/** A front: another wire format for the same VPC, on an address of its own. What is attached through it carries packets as through our own API. */
import type { Log } from '../log.ts';
import type { Events } from './events.ts';
import type { Faults } from './faults.ts';
import type { Model } from './model/model.ts';

/** What a front works on. */
export interface Inside {
  /** The VPC's name: namespaces are called `<vpc>-<instance>`. */
  readonly vpc: string;
  /** Whether instances have namespaces. */
  readonly hasFabric: boolean;
  readonly model: Model;
  readonly faults: Faults;
  readonly events: Events;
  readonly log: Log;
  /** Brings the network to the state; to be called after a change and before its answer. @throws Failure vpcFabric. */
  readonly converge: () => Promise<void>;
  /** Aborted when the program stops. */
  readonly stopping: AbortSignal;
}

/** A front that serves. */
export interface OpenFront {
  /** `http://HOST:PORT`, with the port it really got. */
  readonly url: string;
  /** Called each time the network shows the state: for what stands in instances' namespaces. Must not throw. */
  readonly follow?: () => void;
  /** Takes no more requests and leaves no namespace held. */
  close(): Promise<void>;
}

/** A front as `startVpc` is given it. */
export interface Front {
  /** Such as `ec2`. */
  readonly name: string;
  /** What it calls its calls: faults may name them. */
  readonly calls: readonly string[];
  /** @throws Failure vpcOptions, vpcListen. */
  open(inside: Inside): Promise<OpenFront>;
}
