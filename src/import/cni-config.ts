/** CNI configurations: one plugin, or a list with it among others. */
import { type Account, below, membersOf, type Setting } from './account.ts';

/** Whether the object is a CNI configuration with this plugin in it. */
export function isCniOf(type: string, object: Setting): boolean {
  const plugins = below(object, 'plugins').value;
  const isOne = (value: unknown): boolean => typeof value === 'object' && value !== null && 'type' in value && value.type === type;
  return isOne(object.value) || (Array.isArray(plugins) && plugins.some(isOne));
}

/** The plugin's own section; the rest of a list is accounted for. */
export function pluginSection(type: string, object: Setting, account: Account): Setting {
  const plugins = below(object, 'plugins');
  if (!Array.isArray(plugins.value)) return object;
  const list = account.part(object, 'a CNI configuration list');
  list.get('plugins');
  readCommon(list, account);
  const disable = list.get('disableCheck');
  if (disable !== undefined) account.equal(disable, 'CHECK is real: flatpod install leaves it on');
  const members = membersOf(account, plugins);
  for (const member of members) {
    const other = below(member, 'type');
    if (other.value !== type) account.equal(other, '--chain of flatpod install, agent.chain of the chart');
  }
  return members.find((member) => below(member, 'type').value === type) ?? object;
}

/** Keys that every configuration has. */
export function readCommon(part: { get(key: string): Setting | undefined }, account: Account): void {
  const [version, name, type] = [part.get('cniVersion'), part.get('name'), part.get('type')];
  if (version !== undefined) account.equal(version, 'flatpod install chooses the newest that the runtime understands');
  if (name !== undefined) account.equal(name, '--network of flatpod install, agent.network of the chart: flatpod');
  if (type !== undefined) account.equal(type, 'flatpod');
}
