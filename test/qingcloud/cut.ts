/** A way to the double that is cut: after one call was carried out its answer is lost, and perhaps nothing comes through any more. */
import { faultProxy } from '../cloud/fault-proxy.ts';
import { qingCloudDialect } from './dialect.ts';

export interface Cut extends AsyncDisposable {
  readonly origin: string;
  /** Actions that were carried out, in their order; DescribeJobs and other reads are left out. */
  readonly changes: string[];
}

/** Loses the answer of the change of that number, counted from 0. `forGood`: whoever asked is dead from then on. */
export async function cutAt(target: string, number: number, forGood: boolean): Promise<Cut> {
  const proxy = await faultProxy(target, qingCloudDialect);
  const changes: string[] = [];
  let isDead = false;
  proxy.befall = ({ name, isRead }) => {
    if (isDead) return { kind: 'cutRequest' };
    if (isRead || changes.push(name) - 1 !== number) return undefined;
    isDead = forGood;
    return { kind: 'cutAnswer' };
  };
  return { origin: proxy.url, changes, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() };
}
