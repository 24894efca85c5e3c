/** One call to make, as data. */
import type { NicId, Wanted } from '../cloud/cloud.ts';
import type { Cidr } from '../net/cidr.ts';
import type { WantedAddresses } from './claims/claims.ts';
import type { NicIntent } from './notes.ts';

/** A call, and all it needs. */
export type Action =
  /** `claims`: whom the addresses are for; absent: for the pool. */
  | {
      readonly do: 'assign';
      readonly subnet: string;
      readonly nic: NicId;
      readonly want: Wanted;
      readonly claims?: readonly WantedAddresses[];
    }
  | { readonly do: 'attach'; readonly subnet: string; readonly nic: NicId; readonly deviceIndex: number }
  | { readonly do: 'attachBranch'; readonly subnet: string; readonly nic: NicId; readonly trunk: NicId; readonly vlan: number }
  /** Creates the NIC of the intent; it is attached by the plan that finds it. `claims`: whose addresses it is born with. */
  | { readonly do: 'create'; readonly subnet: string; readonly intent: NicIntent; readonly claims?: readonly WantedAddresses[] }
  | { readonly do: 'unassign'; readonly nic: NicId; readonly blocks: readonly Cidr[] }
  | { readonly do: 'detach'; readonly nic: NicId }
  | { readonly do: 'delete'; readonly nic: NicId };
