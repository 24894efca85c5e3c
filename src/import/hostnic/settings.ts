/** hostnic.json and qingcloud.yaml: settings of the daemon and of the cluster. */
import { type Account, below, membersOf, type Part, type Setting } from '../account.ts';
import { numberIn, textIn } from '../values.ts';
import type { HostnicPlan } from './plan.ts';

/** Whether it looks like hostnic.json. */
export function isDaemonSettings(object: Setting): boolean {
  return below(object, 'pool').value !== undefined || below(object, 'server').value !== undefined;
}

/** Reads hostnic.json. */
export function readDaemonSettings(whole: Setting, plan: HostnicPlan, account: Account): void {
  const top = account.part(whole, 'hostnic.json');
  const [poolAt, serverAt] = [top.get('pool'), top.get('server')];
  if (poolAt !== undefined) readPool(account.part(poolAt, 'hostnic.json'), plan, account);
  if (serverAt === undefined) return;
  const server = account.part(serverAt, 'hostnic.json');
  tell(account, server.get('serverPath'), "the agent's socket is /run/flatpod/cni.sock");
  const policy = server.get('networkPolicy');
  if (policy === undefined) return;
  if (policy.value === '' || policy.value === 'none') account.equal(policy, 'none, as in Flatpod');
  else
    account.none(
      policy,
      "Flatpod does not write cni.projectcalico.org/podIP, by which Calico's policy finds Pods, and enforces no NetworkPolicy of its own yet",
      'stay with hostnic where Pods rely on policy',
    );
}

function readPool(pool: Part, plan: HostnicPlan, account: Account): void {
  const most = pool.get('maxNic');
  const nics = numberIn(account, most, 0, 63);
  if (most !== undefined && nics !== undefined) {
    if (nics === 63 || nics === 0) account.equal(most, 'ControllerConfig spec.cloud.nicsPerInstance, 63 unless said otherwise');
    else {
      // hostnic counts its own; the instance's first is one more.
      plan.nicsPerInstance = nics + 1;
      account.taken(most, `ControllerConfig spec.cloud.nicsPerInstance: ${nics + 1}, the instance's first included`);
    }
  }
  tell(account, pool.get('sync'), 'what the kernel tells is mended within a second, all else is looked at once a minute');
  tell(account, pool.get('nodeSync'), 'the controller watches nodes');
  tell(account, pool.get('routeTableBase'), 'numbers.firstTable of the NodeConfig: 7000, so that tables of both plugins are told apart');
  for (const key of ['nodeThreshold', 'vxnetThreshold', 'freePeriod'])
    tell(account, pool.get(key), 'interfaces without a Pod go back, all but spec.warm.spareNics of a PodSubnet');
  readTag(pool.get('tag'), plan, account);
  const vxnets = pool.get('vxNets');
  for (const member of vxnets === undefined ? [] : membersOf(account, vxnets)) {
    const id = textIn(account, member);
    if (id === undefined) continue;
    plan.vxnets.add(id);
    account.taken(member, 'PodSubnet spec.cloudSubnet');
  }
}

function readTag(setting: Setting | undefined, plan: HostnicPlan, account: Account): void {
  const tag = textIn(account, setting);
  if (setting === undefined || tag === undefined) return;
  if (tag === '') return account.equal(setting, 'no tag, as ControllerConfig spec.cloud.tags unless said otherwise');
  plan.tag = tag;
  account.taken(setting, 'ControllerConfig spec.cloud.tags', 'the key must be allowed to call AttachTags');
}

/** Whether it looks like qingcloud.yaml. */
export function isClusterSettings(object: Setting): boolean {
  return below(object, 'clusterID').value !== undefined || below(object, 'defaultVxNetForLB').value !== undefined;
}

/** Reads qingcloud.yaml. */
export function readClusterSettings(whole: Setting, plan: HostnicPlan, account: Account): void {
  const part = account.part(whole, 'qingcloud.yaml');
  const clusterAt = part.get('clusterID');
  const cluster = textIn(account, clusterAt);
  if (clusterAt !== undefined && cluster !== undefined) {
    if (cluster.length > 63 || cluster === '')
      account.wrong(clusterAt, `has ${cluster.length} characters`, 'spec.cluster has 1 to 63: correct it in a copy');
    else {
      plan.cluster = cluster;
      account.taken(clusterAt, 'ControllerConfig spec.cluster');
    }
  }
  const zoneAt = part.get('zone');
  const zone = textIn(account, zoneAt);
  if (zoneAt !== undefined && zone !== undefined) {
    plan.zone = zone;
    account.taken(zoneAt, 'ControllerConfig spec.cloud.zone');
  }
  readGroup(part.get('securityGroup'), plan, account);
  const say = (key: string, why: string, remedy: string): void => {
    const setting = part.get(key);
    if (setting !== undefined) account.none(setting, why, remedy);
  };
  say(
    'userID',
    'hostnic never reads it, so that a wrong one does no harm there; with a wrong cloud.owner no interface would be found here',
    'write cloud.owner of the ControllerConfig only where the key sees interfaces of other accounts too, and look the id up before',
  );
  say('defaultVxNetForLB', 'Flatpod makes no load balancers', 'leave it to the controller that makes them');
  say('isApp', 'Flatpod is the same in an application of the cloud', 'nothing');
  say('tagIDs', 'interfaces have the tag of hostnic.json, pool.tag', 'write those that they are to have besides into cloud.tags');
  say('instanceIDs', 'nodes are known by Node objects and their providerID', 'nothing');
}

function readGroup(setting: Setting | undefined, plan: HostnicPlan, account: Account): void {
  const group = textIn(account, setting);
  if (setting === undefined || group === undefined) return;
  if (group === '') return account.equal(setting, 'none, as ControllerConfig spec.cloud.securityGroup unless said otherwise');
  plan.securityGroup = group;
  const remedy =
    'the key must be allowed to call DescribeSecurityGroups, DescribeSecurityGroupRules, AddSecurityGroupRules and ApplySecurityGroup';
  account.taken(setting, 'ControllerConfig spec.cloud.securityGroup', remedy);
}

/** Whether it looks like the file of credentials, config.yaml. */
export function isCredentials(object: Setting): boolean {
  return below(object, 'qy_access_key_id').value !== undefined || below(object, 'qy_secret_access_key').value !== undefined;
}

/** Names its keys, and repeats none of its values. */
export function readCredentials(whole: Setting, account: Account): void {
  const part = account.part(whole, 'config.yaml');
  for (const key of part.keys()) {
    const setting = part.get(key);
    if (setting !== undefined)
      account.none(
        { ...setting, value: undefined },
        'credentials are never copied, and nodes need none',
        'give the file to the controller (docs/clouds)',
      );
  }
}

function tell(account: Account, setting: Setting | undefined, how: string): void {
  if (setting !== undefined) account.equal(setting, how);
}
