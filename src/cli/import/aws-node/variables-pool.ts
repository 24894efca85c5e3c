/** Variables about how many addresses and ENIs a node keeps ready. */
import { numberIn } from '../../../import/values.ts';
import { isTrue, needless, onlyDefault, type Variable, type VariableRule } from './plan.ts';

/** Addresses that warm.spare and warm.minimum of a PodSubnet can ask for. */
const MOST = 4096;
const MOST_NICS = 15;
/** What spec.perNode.interfaces can say. */
const MOST_LIMIT = 64;

/** The two targets in addresses go before those in ENIs and prefixes, when they are above zero: else they are as good as not set. */
function hasTargets({ other }: Variable): boolean {
  return Number(other('WARM_IP_TARGET')) > 0 || Number(other('MINIMUM_IP_TARGET')) > 0;
}

/** 0: it is not set, or not above zero, which is the same. */
function target(variable: Variable, most: number): number | undefined {
  if (variable.text === '') return 0;
  const found = numberIn(variable.account, { ...variable.setting, value: variable.text }, -MOST, most);
  return found === undefined ? undefined : Math.max(0, found);
}

const warmIp: VariableRule = {
  default: '',
  read(variable) {
    const { account, setting, plan } = variable;
    const spare = target(variable, MOST);
    if (spare === undefined) return;
    if (spare > 0) {
      plan.warm.spare = spare;
      account.taken(setting, 'PodSubnet spec.warm.spare', 'addresses that rest do not count as free here, so fewer are enough');
    } else if (hasTargets(variable)) {
      plan.warm.spare = 0;
      account.taken(setting, 'PodSubnet spec.warm.spare: 0, as MINIMUM_IP_TARGET alone has it');
    } else account.equal(setting, 'spec.warm.spare of a PodSubnet');
  },
};

const minimumIp: VariableRule = {
  default: '',
  read(variable) {
    const { account, setting, plan } = variable;
    const minimum = target(variable, MOST);
    if (minimum === undefined) return;
    if (minimum === 0) account.equal(setting, 'spec.warm.minimum of a PodSubnet, 0 unless said otherwise');
    else {
      plan.warm.minimum = minimum;
      account.taken(setting, 'PodSubnet spec.warm.minimum');
    }
  },
};

const warmEni: VariableRule = {
  default: '1',
  read(variable) {
    const { account, setting, plan, other, text } = variable;
    if (hasTargets(variable)) account.equal(setting, 'nothing: WARM_IP_TARGET and MINIMUM_IP_TARGET go before it, there as here');
    else if (isTrue(other('ENABLE_PREFIX_DELEGATION'))) account.equal(setting, 'nothing: with prefixes WARM_PREFIX_TARGET counts');
    else {
      const said = numberIn(account, { ...setting, value: text }, -MOST, MOST_NICS);
      if (said === undefined) return;
      // One below zero is the default.
      const nics = said < 0 ? 1 : said;
      plan.warm.spareNics = nics;
      // "Too low when the target is 0 and nothing is left" is one address to spare.
      if (nics === 0) plan.warm.spare = 1;
      const spare = nics === 0 ? ', spec.warm.spare: 1' : '';
      account.taken(
        setting,
        `PodSubnet spec.warm.spareNics${spare}`,
        'a spare interface has no addresses yet; spec.warm.spare says how many are ready',
      );
    }
  },
};

const warmPrefix: VariableRule = {
  default: '',
  read(variable) {
    const { account, setting, plan, other } = variable;
    if (!isTrue(other('ENABLE_PREFIX_DELEGATION'))) account.equal(setting, 'nothing: it counts with prefix delegation alone');
    else if (hasTargets(variable)) account.equal(setting, 'nothing: WARM_IP_TARGET and MINIMUM_IP_TARGET go before it, there as here');
    else {
      const wanted = target(variable, MOST / 16);
      if (wanted === undefined) return;
      if (wanted === 0) account.equal(setting, 'spec.warm.spare of a PodSubnet: a prefix more as soon as fewer are free');
      else {
        plan.warm.spare = 16 * wanted;
        account.taken(setting, `PodSubnet spec.warm.spare: ${16 * wanted}`);
      }
    }
  },
};

const maxEni: VariableRule = {
  default: '-1',
  read(variable) {
    const { account, setting, plan, text, other } = variable;
    const most = numberIn(account, { ...setting, value: text }, -1, MOST);
    if (most === undefined) return;
    if (most <= 0) account.equal(setting, "the instance type's own limit, which is asked of EC2");
    else {
      // With custom networking the first one serves no Pod, and counts there.
      const isCustom = isTrue(other('AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG'));
      plan.interfaces = Math.min(MOST_LIMIT, Math.max(1, most - (isCustom ? 1 : 0)));
      account.taken(
        setting,
        `PodSubnet spec.perNode.interfaces: ${plan.interfaces}`,
        isCustom ? 'the first one serves no Pod, and is not counted here' : '',
      );
    }
  },
};

const prefixes: VariableRule = {
  default: 'false',
  read({ account, setting, plan, text, other }) {
    if (!isTrue(text)) account.equal(setting, 'spec.unit: address, the default');
    else if (isTrue(other('ENABLE_IPv6'))) account.equal(setting, 'IPv6 is always given to nodes as a /80');
    else {
      plan.unit = 'prefix';
      account.taken(setting, 'PodSubnet spec.unit: prefix');
    }
  },
};

/** By name. */
export const poolVariables: Readonly<Record<string, VariableRule>> = {
  WARM_IP_TARGET: warmIp,
  MINIMUM_IP_TARGET: minimumIp,
  WARM_ENI_TARGET: warmEni,
  WARM_PREFIX_TARGET: warmPrefix,
  MAX_ENI: maxEni,
  ENABLE_PREFIX_DELEGATION: prefixes,
  IP_COOLDOWN_PERIOD: {
    default: '30',
    read({ account, setting, plan, isSet, text }) {
      if (!isSet) {
        account.equal(
          setting,
          'NodeConfig spec.cooldown_s, 180 unless said otherwise: longer than conntrack remembers, and kept over restarts',
        );
        return;
      }
      const seconds = numberIn(account, { ...setting, value: text }, 0, 86_400);
      if (seconds === undefined) return;
      plan.cooldown_s = seconds;
      account.taken(
        setting,
        'NodeConfig spec.cooldown_s',
        seconds < 120 ? 'conntrack may remember an address for 120 s: 180 is safer' : '',
      );
    },
  },
  AWS_MANAGE_ENIS_NON_SCHEDULABLE: onlyDefault(
    'false',
    'a node grows by what its Pods need: without new Pods it does not',
    'Flatpod looks at Pods, not at whether a node is cordoned',
    'nothing, as a rule: on a cordoned node addresses are given back as Pods end',
  ),
  DISABLE_LEAKED_ENI_CLEANUP: onlyDefault(
    'false',
    'the controller removes interfaces of ours that nobody owns, and leaves those of the AWS plugin alone',
    'leaving leaked interfaces and giving nothing back are one switch in Flatpod',
    'write cloud.releases: false in the ControllerConfig to have them only told in the log',
  ),
  DISABLE_NETWORK_RESOURCE_PROVISIONING: {
    default: 'false',
    read({ account, setting, plan, text }) {
      if (!isTrue(text)) account.equal(setting, 'cloud.changes of the ControllerConfig, true unless said otherwise');
      else {
        plan.changes = false;
        account.taken(setting, 'ControllerConfig spec.cloud.changes: false');
      }
    },
  },
  ENABLE_IMDS_ONLY_MODE: needless('false', 'nodes never ask EC2: only the controller does'),
};
