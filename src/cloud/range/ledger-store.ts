/** Where it is written down which addresses of ranges nodes have: in the Kubernetes API in a cluster, in SQLite on a node that stands alone. */
import type { Cidr } from '../../net/cidr.ts';

/** What a node has of a PodSubnet's range, in one slice. */
export interface Share {
  readonly node: string;
  readonly podSubnet: string;
  readonly blocks: readonly Cidr[];
}

/** One slice (units.ts) as it is written down. */
export interface StoredSlice {
  readonly slice: Cidr;
  /** Another one after each change. */
  readonly version: string;
  readonly shares: readonly Share[];
}

/** All of them. Every call has its own deadline; what it rejects with is a Failure, and whether a write was done is not known then. */
export interface LedgerStore {
  list(): Promise<readonly StoredSlice[]>;
  /** undefined: there is none. */
  read(slice: Cidr): Promise<StoredSlice | undefined>;
  /** Replaces what is there, if it is of that version (undefined: if there is nothing). Answers with the new one's version; undefined: it was another. */
  write(slice: Cidr, version: string | undefined, shares: readonly Share[]): Promise<string | undefined>;
}
