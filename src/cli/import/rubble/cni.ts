/** rubble's CNI configuration, alone or in a list. */
import type { Account, Setting } from '../../../import/account.ts';
import { pluginSection, readCommon } from '../../../import/cni-config.ts';
import { textIn } from '../../../import/values.ts';

const modes = ['l2', 'l3', 'l3s'] as const;

/** What of it goes into our documents. */
export interface RubbleCni {
  readonly mode: 'l2' | 'l3' | 'l3s';
  /** Pods are on an interface beside the node's first one. */
  readonly isSecondNic: boolean;
}

/** Reads it. */
export function readRubbleCni(object: Setting, account: Account): RubbleCni {
  const part = account.part(pluginSection('rubble', object, account), "rubble's CNI configuration");
  readCommon(part, account);
  const [master, modeAt] = [part.get('master'), part.get('mode')];
  const written = textIn(account, modeAt)?.toLowerCase() ?? 'l2';
  const mode = modes.find((one) => one === written);
  if (modeAt !== undefined && mode === undefined) account.wrong(modeAt, `must be l2, l3 or l3s, not ${JSON.stringify(written)}`, '');
  else if (modeAt !== undefined) account.taken(modeAt, `PodSubnet spec.datapath: ipvlan, spec.mode: ${written}`);
  const link = textIn(account, master);
  const isSecondNic = link !== undefined && link !== 'eth0';
  if (master !== undefined) {
    const how = isSecondNic ? 'PodSubnet spec.useFirstNic: false' : 'PodSubnet spec.useFirstNic, true unless said otherwise';
    account.taken(
      master,
      how,
      'interfaces are found by their MAC and subnet, whatever they are called; Flatpod plugs in the ones it needs',
    );
  }
  return { mode: mode ?? 'l2', isSecondNic };
}
