/** What the driver is told. */

/** Where the keys come from. */
export type CredentialSource =
  /** A `config.yaml` as QingCloud's own programs read it; read again whenever it changes. A Secret that is mounted is such a file. */
  | { readonly from: 'file'; readonly path: string }
  /** `QINGCLOUD_ACCESS_KEY_ID`, `QINGCLOUD_SECRET_ACCESS_KEY` and perhaps `QINGCLOUD_ZONE`. */
  | { readonly from: 'environment' }
  /** The instance's role; `metadata`: where to ask, http://169.254.169.254 when absent. */
  | { readonly from: 'role'; readonly metadata?: string };

/** QingCloud's API, and what only its users can tell of their cloud. Absent: what stands behind the sentence. */
export interface QingCloudOptions {
  readonly credentials: CredentialSource;
  /** With the path that is signed: `https://api.qingcloud.com:443/iaas`. Absent: what the file says, else that; with a role, its path is `/iam`. */
  readonly endpoint?: string;
  /** Path of certificates in PEM by which the API is known, instead of the system's; read again when it changes. */
  readonly caFile?: string;
  /** `pek3a`, say. Absent: what the file or the environment says. */
  readonly zone?: string;
  /** The VPC's router, where the account has several. */
  readonly router?: string;
  /** The account's id: lists show nobody else's. Absent: lists show all that the key may see. */
  readonly owner?: string;
  /** A changing call is over after this long, and sends nothing later: 10 000. */
  readonly deadline_ms?: number;
  /** A reading call with all its pages: 30 000. */
  readonly readDeadline_ms?: number;
  /** How many NICs an instance may have, its own included: 63. */
  readonly nicsPerInstance?: number;
  /** How many addresses and prefixes a NIC may have, its own address included: 254. A number of ours; the cloud's is `vipsPerVxnet`. */
  readonly addressSlotsPerNic?: number;
  /** How many addresses of a vxnet may be reserved: 253. */
  readonly vipsPerVxnet?: number;
  /** Of the vxnets: 1500. The API does not tell it. */
  readonly mtu?: number;
  /** Characters of a NIC's or a reservation's name: 255. */
  readonly longestName?: number;
  /**
   * What the filter `nic_name` finds. `whole`: that name alone, so our NICs are looked for among all of the zone. `part`: also names that begin so, which
   * saves calls where an account has hundreds of NICs. Absent: whole, which is right in both cases.
   */
  readonly nameFilter?: 'whole' | 'part';
  /** Sets `enable_aspoof` of new NICs: whether frames with further source addresses leave them. Absent: the cloud's own default. */
  readonly allowSpoofing?: boolean;
  /**
   * What reservations of a former plugin are named by, such as `hostnic_`: where the blocks that are asked for are full, those of their addresses that are
   * so reserved are released and reserved for us in their place. Absent: they are somebody else's.
   */
  readonly adoptVips?: string;
  /** Ids of tags of the account that new NICs get: none. */
  readonly tags?: readonly string[];
  /** Id of the security group that the nodes' instances have, which is to let Pods' vxnets in. Absent: it is left as it is. */
  readonly securityGroup?: string;
}

/** With the defaults filled in; credentials, endpoint, certificates and zone are {@link CredentialSource}'s affair. */
export interface Settings {
  readonly router?: string;
  readonly owner?: string;
  readonly deadline_ms: number;
  readonly readDeadline_ms: number;
  readonly nicsPerInstance: number;
  readonly addressSlotsPerNic: number;
  readonly vipsPerVxnet: number;
  readonly mtu: number;
  readonly longestName: number;
  readonly nameFilter: 'whole' | 'part';
  readonly allowSpoofing?: boolean;
  readonly adoptVips?: string;
  readonly tags: readonly string[];
  readonly securityGroup?: string;
}

/** The defaults of {@link QingCloudOptions}. */
export function settingsOf({ credentials: _, endpoint: _endpoint, caFile: _caFile, zone: _zone, ...given }: QingCloudOptions): Settings {
  return {
    deadline_ms: 10_000,
    readDeadline_ms: 30_000,
    nicsPerInstance: 63,
    addressSlotsPerNic: 254,
    vipsPerVxnet: 253,
    mtu: 1500,
    longestName: 255,
    nameFilter: 'whole',
    tags: [],
    ...given,
  };
}
