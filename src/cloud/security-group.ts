/**
 * A security group of instances, where a cloud has these for instances alone: what lets Pods' addresses in at every node at once. Beside {@link Cloud}.
 *
 * Promises every driver keeps
 * - `next` changes nothing and says at most one step; a step is at most one changing request
 * - whoever takes the steps one after another gets there from wherever somebody stopped: after a crash, a lost answer, or a change by hand
 * - rules are added and never taken away
 * - a refusal is a Failure cloud*, as of every call of a cloud
 */
import type { Cidr } from '../net/cidr.ts';
import type { Step } from './load-balancers.ts';

/** One security group, seen from the controller. */
export interface SecurityGroup {
  readonly name: string;
  /** What comes next so that everything from these blocks is let in; undefined: it is. */
  next(blocks: readonly Cidr[]): Promise<Step | undefined>;
  perform(step: Step): Promise<void>;
}
