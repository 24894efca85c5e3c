/** The blocks of vxnets: by the status of a PodSubnet that names the vxnet, else by the cloud's own word, since where no PodSubnet is left nobody else knows. */
import { isFailure, sentence } from '../../errors/failure.ts';
import type { SubnetId } from '../../cloud/cloud.ts';
import type { Log } from '../../log.ts';
import type { Cidr } from '../../net/cidr.ts';
import type { ReadFacts } from '../facts.ts';

/** With what to find them. */
export interface VxnetBlocksOptions {
  /** By the status of a PodSubnet; undefined: none says. */
  readonly told: (vxnet: string) => Cidr | undefined;
  readonly facts: ReadFacts;
  readonly log: Log;
}

/** Answers with the IPv4 blocks of those vxnets that there are. While the cloud does not answer what it said last stands, and the log says once why. */
export function vxnetBlocks({ told, facts, log }: VxnetBlocksOptions): (vxnets: readonly string[]) => Promise<ReadonlyMap<string, Cidr>> {
  let last: ReadonlyMap<string, Cidr | undefined> = new Map();
  let said = '';
  async function ask(vxnets: readonly string[]): Promise<void> {
    try {
      const { subnets } = await facts([], vxnets as readonly SubnetId[]); // what hostnic calls a vxnet is what its cloud calls it
      last = new Map([...subnets].map(([id, { cidr4 }]) => [id, cidr4]));
      said = '';
    } catch (error) {
      if (!isFailure(error)) throw error;
      const text = sentence(error);
      if (text !== said) log.warn(`the blocks of ${vxnets.join(', ')} are not known, which v-pool has and nobody has cut: ${text}`);
      said = text;
    }
  }
  return async (vxnets) => {
    const untold = vxnets.filter((vxnet) => told(vxnet) === undefined);
    if (untold.length > 0) await ask(untold);
    const found = vxnets.map((vxnet) => [vxnet, told(vxnet) ?? last.get(vxnet)] as const);
    return new Map(found.flatMap(([vxnet, block]) => (block === undefined ? [] : [[vxnet, block] as const])));
  };
}
