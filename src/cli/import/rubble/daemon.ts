/** rubble.json, the configuration of rubble's daemon. */
import type { Cidr } from '../../../net/cidr.ts';
import { type Account, membersOf, type Setting } from '../../../import/account.ts';
import { blocksIn, numberIn, textIn } from '../../../import/values.ts';

/** What of it goes into our documents. */
export interface Daemon {
  readonly subnets: string[];
  securityGroups: string[];
  serviceCidrs: Cidr[];
  kubeconfig?: string;
  spare?: number;
}

type Reader = (setting: Setting, daemon: Daemon, account: Account) => void;

/** One text or a list of texts. */
function textsIn(account: Account, setting: Setting): string[] {
  const each = Array.isArray(setting.value) ? membersOf(account, setting) : [setting];
  return each.flatMap((one) => textIn(account, one) ?? []);
}

const subnet: Reader = (setting, daemon, account) => {
  daemon.subnets.push(...textsIn(account, setting));
  account.taken(setting, 'PodSubnet spec.cloudSubnet');
};
const network: Reader = (setting, _, account) => account.equal(setting, 'spec.cloudSubnet: the subnet says which network it is of');
const groups: Reader = (setting, daemon, account) => {
  daemon.securityGroups = textsIn(account, setting);
  account.taken(setting, 'PodSubnet spec.securityGroups', "rubble's ports had no port security; here it holds for the node's interface");
};
const services: Reader = (setting, daemon, account) => {
  daemon.serviceCidrs = textsIn(account, setting).flatMap((text) => blocksIn(account, { ...setting, value: text }));
  account.taken(setting, 'NodeConfig spec.serviceCidrs');
};
const least: Reader = (setting, daemon, account) => {
  const spare = numberIn(account, setting, 0, 4096);
  if (spare === undefined) return;
  daemon.spare = spare;
  account.taken(setting, 'PodSubnet spec.warm.spare');
};
const most: Reader = (setting, _, account) =>
  account.equal(setting, 'what is free beyond twice spec.warm.spare goes back; spec.perNode.maximum is the most a node may hold');
const period: Reader = (setting, _, account) => account.equal(setting, 'the controller looks at what is needed as it changes');
const kubeconfig: Reader = (setting, daemon, account) => {
  const path = textIn(account, setting);
  if (path === undefined) return;
  if (!path.startsWith('/')) account.none(setting, 'spec.cluster.kubeconfig of the NodeConfig is an absolute path', 'write it there');
  else {
    daemon.kubeconfig = path;
    account.taken(setting, 'NodeConfig spec.cluster.kubeconfig, ControllerConfig spec.kubeconfig');
  }
};
/** Its value is not repeated. */
const credential: Reader = (setting, _, account) =>
  account.none(
    { ...setting, value: undefined },
    'credentials are never copied, and nodes need none',
    'give them to the controller alone (docs/clouds)',
  );

/** Keys without capitals, `_` and `-`. */
const readers: Readonly<Record<string, Reader>> = {
  subnet,
  subnetid: subnet,
  subnets: subnet,
  subnetids: subnet,
  net: network,
  netid: network,
  network,
  networkid: network,
  securitygroup: groups,
  securitygroups: groups,
  securitygroupids: groups,
  servicecidr: services,
  servicecidrs: services,
  minpoolsize: least,
  minidle: least,
  maxpoolsize: most,
  maxidle: most,
  period,
  kubeconfig,
  authurl: credential,
  username: credential,
  password: credential,
  projectname: credential,
  projectid: credential,
  tenantname: credential,
  tenantid: credential,
  domainname: credential,
  userdomainname: credential,
  projectdomainname: credential,
  applicationcredentialid: credential,
  applicationcredentialsecret: credential,
};

/** Reads it. */
export function readDaemon(whole: Setting, account: Account): Daemon {
  const daemon: Daemon = { subnets: [], securityGroups: [], serviceCidrs: [] };
  const part = account.part(whole, 'rubble.json');
  for (const key of part.keys()) {
    const plain = key
      .toLowerCase()
      .replaceAll(/[-_]/g, '')
      .replace(/^os(?=auth|user|pass|proj|tenant|domain|app)/, '');
    const read = Object.hasOwn(readers, plain) ? readers[plain] : undefined;
    if (read === undefined) continue;
    const setting = part.get(key);
    if (setting !== undefined) read(setting, daemon, account);
  }
  return daemon;
}
