/** The environment of the DaemonSet's containers, read by the table of variables. */
import { type Account, below, membersOf, type Setting } from '../../../import/account.ts';
import { textIn, wordOf } from '../../../import/values.ts';
import type { AwsPlan, VariableRule } from './plan.ts';
import { networkVariables } from './variables-network.ts';
import { poolVariables } from './variables-pool.ts';
import { otherVariables } from './variables-rest.ts';
import { runtimeVariables } from './variables-runtime.ts';

/** Every variable there is an answer for, in the order of the account. */
const variables: Readonly<Record<string, VariableRule>> = { ...poolVariables, ...networkVariables, ...otherVariables, ...runtimeVariables };

const POLICY_AGENT = 'aws-eks-nodeagent';

/** The variables of a container: set here, or in another object where they are not read. */
interface Entry {
  readonly setting: Setting;
  readonly text: string;
  readonly isElsewhere: boolean;
}

/** Reads all variables of all containers, set or not, into the plan. */
export function readEnvironment(daemonSet: Setting, account: Account): AwsPlan {
  const template = below(daemonSet, 'spec', 'template', 'spec');
  const containers = ['initContainers', 'containers'].flatMap((key) => {
    const list = below(template, key);
    return list.value === undefined || list.value === null ? [] : membersOf(account, list);
  });
  if (containers.length === 0)
    account.wrong({ ...template, name: 'spec.template.spec.containers' }, 'has no containers', 'make the dump again');
  for (const container of containers) readArguments(container, account);
  const set = new Map<string, Entry>();
  // Of one container the entry that comes last counts (Kubernetes API, Container.env); of several that of the plugin's own.
  const isOwn = (container: Setting): boolean => below(container, 'name').value === 'aws-node';
  for (const container of containers.toSorted((a, b) => Number(isOwn(a)) - Number(isOwn(b))))
    for (const entry of entriesOf(container, account)) addEntry(set, entry, account);
  return readAll(set, template, account);
}

function readAll(set: ReadonlyMap<string, Entry>, template: Setting, account: Account): AwsPlan {
  const plan: AwsPlan = { warm: {}, families: [], snat: {}, takeover: {} };
  // The plugin takes an empty variable for one that is not set.
  const textOf = (name: string): string => set.get(name)?.text || (variables[name]?.default ?? '');
  for (const [name, rule] of Object.entries(variables)) {
    const found = set.get(name);
    const isSet = found !== undefined && !found.isElsewhere;
    const unset = { ...template, name: `${name} (not ${found === undefined ? 'set' : 'read'})`, value: rule.default || undefined };
    rule.read({ setting: isSet ? found.setting : unset, text: textOf(name), isSet, plan, account, other: textOf });
  }
  for (const [name, { setting }] of set) {
    if (Object.hasOwn(variables, name)) continue;
    // Whatever it says may be a secret.
    account.none({ ...setting, value: undefined }, 'no variable of the AWS plugin that Flatpod knows', 'look up what it does there');
  }
  if (plan.families.length === 0)
    account.wrong({ ...template, name: 'ENABLE_IPv4' }, 'is false, and so is ENABLE_IPv6', 'one of them is true where the plugin works');
  return plan;
}

function entriesOf(container: Setting, account: Account): Setting[] {
  const from = below(container, 'envFrom');
  if (Array.isArray(from.value))
    account.none(
      { ...from, value: undefined },
      'variables that stand in other objects are not read',
      'write them into a copy of the DaemonSet and import that',
    );
  const env = below(container, 'env');
  return env.value === undefined || env.value === null ? [] : membersOf(account, env);
}

/** Values that the API server fills in are known to need no reading; those of other objects are not there to be read. */
function addEntry(set: Map<string, Entry>, entry: Setting, account: Account): void {
  const name = textIn(account, { ...below(entry, 'name'), name: 'env name' });
  if (name === undefined || name === '') return;
  const source = below(entry, 'valueFrom');
  const value = source.value === undefined ? below(entry, 'value') : source;
  const isElsewhere = source.value !== undefined && below(source, 'fieldRef').value === undefined;
  const text = source.value === undefined ? (textIn(account, { ...value, name, value: value.value ?? '' }) ?? '') : '';
  if (isElsewhere)
    account.left(
      `aws-node, line ${entry.document.lineOf(value.path)}`,
      name,
      'its value stands in another object',
      'write it into a copy of the DaemonSet as value, and import that',
    );
  const before = set.get(name);
  if (before !== undefined && before.text !== text) {
    const where = `line ${entry.document.lineOf(value.path)} says it otherwise, and counts`;
    account.none({ ...before.setting, value: undefined }, where, 'nothing, if that is as it should be');
  }
  set.set(name, { setting: { ...value, name, value: text }, text, isElsewhere });
}

/** Only the agent for NetworkPolicy has any. */
function readArguments(container: Setting, account: Account): void {
  const args = below(container, 'args');
  const isPolicy = below(container, 'name').value === POLICY_AGENT;
  if (!Array.isArray(args.value)) return;
  for (const argument of membersOf(account, args)) {
    const text = wordOf(argument.value);
    const name = text.split('=')[0] ?? text;
    const setting = { ...argument, name, value: undefined };
    if (isPolicy && text === '--enable-network-policy=true')
      account.none(
        setting,
        'NetworkPolicy is not enforced by Flatpod yet: Pods would be open',
        'stay with the AWS plugin if your Pods rely on it',
      );
    else if (isPolicy) account.equal(setting, 'nothing: there is no such agent beside that of Flatpod');
    else account.none(setting, 'no argument of the AWS plugin that Flatpod knows', 'look up what it does there');
  }
}
