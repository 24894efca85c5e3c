/** ConfigMap hostnic-ipam-config: which namespace has addresses of which block. */
import { type Account, below, membersOf, type Setting } from '../account.ts';
import { textIn } from '../values.ts';
import type { BlocksOf, HostnicPlan } from './plan.ts';

/** The key of those that no other names. */
export const DEFAULT = 'Default';

/** Reads it into the plan; which PodSubnet a namespace gets is accounted for where PodSubnets are made. */
export function readIpamConfig(configMap: Setting, plan: HostnicPlan, account: Account): void {
  const data = account.part({ ...below(configMap, 'data'), name: 'hostnic-ipam-config' }, 'hostnic-ipam-config');
  const auto = data.get('subnet-auto-assign');
  const text = textIn(account, auto);
  if (auto !== undefined && text !== undefined) readAuto(auto, text, plan, account);
  const ipam = data.get('ipam');
  plan.ipam = ipam === undefined ? new Map() : readBlocks(ipam, account);
}

function readAuto(auto: Setting, text: string, plan: HostnicPlan, account: Account): void {
  if (text !== 'on' && text !== 'off') account.wrong(auto, `must be on or off, not ${JSON.stringify(text)}`, '');
  else if (text === 'off') account.equal(auto, 'only PodSubnets that name a namespace, or are the default, serve it');
  else if (plan.isServed) {
    plan.autoAssign = true;
    account.taken(auto, 'a free block for each namespace');
  } else {
    plan.autoAssign = true;
    account.taken(auto, 'PodSubnet spec.default: true for every vxnet of the pool, so that a new namespace has addresses');
    account.none(
      { ...auto, value: undefined },
      'these documents are of one moment: a namespace that comes later gets no block of its own by them',
      'have the controller serve the ConfigMap as it is (spec.hostnic), or give namespaces a PodSubnet each with assignable: true',
    );
  }
}

function readBlocks(ipam: Setting, account: Account): Map<string, BlocksOf> {
  const inner = account.within(ipam);
  const part = inner === undefined ? undefined : account.part(inner, 'hostnic-ipam-config');
  const found = new Map<string, BlocksOf>();
  for (const key of part?.keys() ?? []) {
    const setting = part?.get(key);
    if (setting === undefined) continue;
    found.set(key, { setting, names: membersOf(account, setting).flatMap((member) => textIn(account, member) ?? []) });
  }
  return found;
}
