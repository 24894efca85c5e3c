/** The EC2 front: Amazon's query protocol of 2016-11-15 for the emulated VPC, and instance metadata inside its instances. */
import { listen } from '../api/listen.ts';
import type { Front } from '../front.ts';
import { metadataIn } from '../metadata.ts';
import type { Lag, Setting } from './actions/action.ts';
import { actions } from './actions/all.ts';
import type { AccessKey } from './keys.ts';
import { metadataOf, type Role } from './metadata.ts';
import { type Rates, throttle } from './rates.ts';
import { serve } from './serve.ts';
import { addTypes } from './types.ts';

/** What the front may be told. */
export interface Ec2Options {
  /** `HOST:PORT`; port 0: any. */
  readonly listen: string;
  /** Who may ask. */
  readonly keys: readonly AccessKey[];
  /** `eu-west-1` when absent. */
  readonly region?: string;
  /** The account's number; twelve digits. */
  readonly account?: string;
  /** Milliseconds since the epoch; another clock than the machine's for those who test what a wrong one does. */
  readonly now_ms?: () => number;
}

/** The front, and what may be changed while it serves. */
export interface Ec2Front extends Front {
  readonly lag: Lag;
  readonly rates: Rates;
  /** The keys there are: to add, expire and take away. */
  readonly keys: AccessKey[];
  /** The role that instances have; undefined: none. */
  role: Role | undefined;
}

/** The front as startVpc takes it. */
export function ec2Front(options: Ec2Options): Ec2Front {
  const { region = 'eu-west-1', account = '111122223333', now_ms = Date.now } = options;
  const setting: Setting = { region, account, now_ms, lag: { attach_ms: 0, unknown_ms: 0, longestPage: Number.POSITIVE_INFINITY } };
  const rates: Rates = new Map();
  const front: Ec2Front = {
    name: 'ec2',
    calls: [...actions.keys()],
    lag: setting.lag,
    rates,
    keys: [...options.keys],
    role: undefined,
    async open(inside) {
      inside.model.transaction(addTypes);
      const listening = await listen(options.listen, serve({ inside, setting, keys: front.keys, throttle: throttle(rates, now_ms) }));
      const metadata = metadataIn(inside.vpc, inside.log, (id) => metadataOf(inside.model.state, id, setting, () => front.role));
      return {
        url: listening.url,
        follow: () => {
          if (inside.hasFabric) metadata.follow(inside.model.state);
        },
        async close() {
          await Promise.all([listening.close(), metadata.close()]);
        },
      };
    },
  };
  // Whoever prints the front does not print its secrets.
  for (const secret of ['keys', 'role']) Object.defineProperty(front, secret, { enumerable: false });
  return front;
}
