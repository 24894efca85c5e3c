/** hostnic's CNI configuration, 10-hostnic.conf. */
import { type Account, type Setting } from '../account.ts';
import { pluginSection, readCommon } from '../cni-config.ts';
import { blocksIn, numberIn, textIn, wordOf } from '../values.ts';
import type { HostnicPlan } from './plan.ts';

/** logrus' numbers, from fatal to trace. Its first, panic, is 0, by which hostnic means that nothing is said. */
const numbered = [undefined, 'error', 'error', 'warn', 'info', 'debug', 'debug'];
const named: Readonly<Record<string, string>> = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  fatal: 'error',
  panic: 'error',
};

/** Of a ControllerConfig: below it no link has IPv6 (RFC 8200, section 5). */
const LEAST_MTU = 1280;

/** Reads it into the plan. */
export function readHostnicCni(object: Setting, plan: HostnicPlan, account: Account): void {
  const part = account.part(pluginSection('hostnic', object, account), "hostnic's CNI configuration");
  readCommon(part, account);
  const equal = (key: string, how: string): void => {
    const setting = part.get(key);
    if (setting !== undefined) account.equal(setting, how);
  };
  equal('capabilities', 'flatpod install writes those of the plugins it knows');
  equal('server', 'the agent of each node gives the addresses');
  equal('vethPrefix', 'numbers.linkPrefix of the NodeConfig: fp, so that links of both plugins are told apart');
  equal('rt2Pod', 'numbers.firstTable of the NodeConfig: routes to Pods stand in a table of our own, 7000');
  equal('interface', 'nothing: Pods are reached through the interface that has their address');
  equal('hairpin', 'always: a Pod reaches itself through its Service');
  readNicType(part.get('hostNicType'), plan, account);
  readMtu(part.get('mtu'), plan, account);
  readServices(part.get('serviceCIDR'), plan, account);
  readMark(part.get('natMark'), account);
  readLog(part.get('logLevel'), plan, account);
  equal('logFile', 'the log goes to stderr, where kubectl logs and journalctl read it');
}

function readNicType(setting: Setting | undefined, plan: HostnicPlan, account: Account): void {
  const type = textIn(account, setting);
  if (setting === undefined || type === undefined) return;
  if (type !== 'veth' && type !== 'passthrough') account.wrong(setting, `must be veth or passthrough, not ${JSON.stringify(type)}`, '');
  else {
    plan.isPassthrough = type === 'passthrough';
    account.taken(setting, plan.isPassthrough ? 'PodSubnet spec.datapath: nic' : 'PodSubnet spec.datapath: routed-veth, the default');
  }
}

function readMtu(setting: Setting | undefined, plan: HostnicPlan, account: Account): void {
  const isUnsaid = setting?.value === 0 || setting?.value === '0';
  const mtu = isUnsaid ? 0 : numberIn(account, setting, LEAST_MTU, 65_535);
  if (setting === undefined || mtu === undefined) return;
  if (mtu === 1500 || isUnsaid) account.equal(setting, 'ControllerConfig spec.cloud.mtu, 1500 unless said otherwise');
  else {
    plan.mtu = mtu;
    account.taken(setting, 'ControllerConfig spec.cloud.mtu');
  }
}

function readServices(setting: Setting | undefined, plan: HostnicPlan, account: Account): void {
  if (setting === undefined) return;
  plan.serviceCidrs = blocksIn(account, setting);
  account.taken(setting, 'NodeConfig spec.serviceCidrs', 'Pods by routed-veth reach Services without it');
}

/** Replies of what came by the node or by a Service are led back by it. */
function readMark(setting: Setting | undefined, account: Account): void {
  if (setting === undefined) return;
  const text = wordOf(setting.value);
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(text)) account.wrong(setting, `must be a mark such as 0x10000, not ${JSON.stringify(text)}`, '');
  else
    account.none(
      setting,
      'replies leave as the request came without it; but our marks take several bits, numbers.markMask of the NodeConfig (0x6e), where natMark is one',
      "change a firewall of yours that goes by hostnic's mark",
    );
}

function readLog(setting: Setting | undefined, plan: HostnicPlan, account: Account): void {
  if (setting === undefined) return;
  const text = wordOf(setting.value).toLowerCase();
  if (text === '0') return account.equal(setting, 'nothing is said by it: NodeConfig spec.log, info unless said otherwise');
  const level = /^\d$/.test(text) ? numbered[Number(text)] : Object.hasOwn(named, text) ? named[text] : undefined;
  if (level === undefined) account.wrong(setting, `is no level: ${JSON.stringify(text)}`, 'write debug, info, warn or error');
  else {
    plan.log = level;
    account.taken(setting, `NodeConfig spec.log: ${level}`);
  }
}
