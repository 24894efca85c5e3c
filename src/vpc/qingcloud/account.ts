/** Who may call: access keys, and the short-lived ones of an instance's role. */
import { randomBytes } from 'node:crypto';

/** A user and one of its keys. */
export interface Account {
  /** The user's id, such as `usr-0a1b2c3d`. */
  readonly owner: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Actions that it is denied. */
  readonly denied?: readonly string[];
}

/** A key that a caller has shown to be its own. */
export interface Caller {
  readonly account: Account;
  /** Set when the key is that of a role: requests must carry it. */
  readonly token?: string;
}

interface RoleKey extends Caller {
  readonly expires_ms: number;
}

/** What the metadata service answers ("security-credentials"). */
export interface RoleCredentials {
  readonly ret_code: 0;
  readonly access_key: string;
  readonly secret_key: string;
  readonly id_token: string;
  /** Seconds since the epoch. */
  readonly expiration: number;
  readonly jti: string;
}

const MOST_ROLE_KEYS = 1000;

/** The keys that are known. */
export class Keys {
  private readonly fixed: ReadonlyMap<string, Caller>;
  private readonly role = new Map<string, RoleKey>();

  /** The first account is the one that instances' roles act for. */
  readonly accounts: readonly [Account, ...Account[]];

  constructor(accounts: readonly [Account, ...Account[]]) {
    this.accounts = accounts;
    this.fixed = new Map(accounts.map((account) => [account.accessKeyId, { account }]));
  }

  /** The owner of that key; undefined when nobody has it. `expired`: it was a role's. */
  find(accessKeyId: string, now_ms: number): Caller | 'expired' | undefined {
    const role = this.role.get(accessKeyId);
    if (role === undefined) return this.fixed.get(accessKeyId);
    return role.expires_ms > now_ms ? role : 'expired';
  }

  /** A new key of the role, good for that long. */
  issue(now_ms: number, lifetime_ms: number): RoleCredentials {
    const [account] = this.accounts;
    const [accessKeyId, secretAccessKey, token] = [10, 20, 24].map((bytes) => randomBytes(bytes).toString('hex').toUpperCase()) as [
      string, // a list of three maps to a list of three
      string,
      string,
    ];
    const expires_ms = now_ms + lifetime_ms;
    const [oldest] = this.role.keys();
    if (this.role.size >= MOST_ROLE_KEYS && oldest !== undefined) this.role.delete(oldest);
    this.role.set(accessKeyId, { account: { ...account, accessKeyId, secretAccessKey }, token, expires_ms });
    return {
      ret_code: 0,
      access_key: accessKeyId,
      secret_key: secretAccessKey,
      id_token: token,
      expiration: Math.floor(expires_ms / 1000),
      jti: randomBytes(8).toString('hex'),
    };
  }
}
