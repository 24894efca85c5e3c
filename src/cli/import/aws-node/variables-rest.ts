/** Variables about names, tags, logs and what else the DaemonSet sets. */
import { isTrue, needless, onlyDefault, type VariableRule } from './plan.ts';

const levels: Readonly<Record<string, string>> = {
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  error: 'error',
  fatal: 'error',
};

const owned = 'the agent knows it by itself';

/** By name. Those without a default of their own are set by the manifest and mean nothing to others. */
export const otherVariables: Readonly<Record<string, VariableRule>> = {
  CLUSTER_NAME: {
    default: '',
    read({ account, setting, plan, text }) {
      if (text === '') account.equal(setting, 'ControllerConfig spec.cluster; see LEFT FOR YOU');
      else if (text.length > 63)
        account.wrong(setting, `has ${text.length} characters`, 'spec.cluster has at most 63: shorten it in a copy of the file');
      else {
        plan.cluster = text;
        account.taken(setting, 'ControllerConfig spec.cluster');
      }
    },
  },
  ADDITIONAL_ENI_TAGS: {
    default: '{}',
    read({ account, setting, text }) {
      const tags = tagsIn(text);
      if (tags === undefined) account.wrong(setting, 'must be a JSON object of texts', '');
      else if (tags.length === 0) account.equal(setting, 'none: interfaces carry the tags of Flatpod');
      for (const [name, value] of tags ?? [])
        account.none(
          { ...setting, name: `${setting.name}.${name}`, value },
          'interfaces carry the tags of Flatpod alone',
          'have a rule of your account add it to what is tagged flatpod.dev/cluster',
        );
    },
  },
  ANNOTATE_POD_IP: onlyDefault(
    'false',
    'off, as in Flatpod',
    "Flatpod does not write addresses into Pods' annotations",
    'read status.podIPs, or ask kubectl flatpod ip',
  ),
  ENABLE_BANDWIDTH_PLUGIN: {
    default: 'false',
    read({ account, setting, text }) {
      if (!isTrue(text)) account.equal(setting, '--chain of flatpod install, agent.chain of the chart');
      else account.equal(setting, 'write bandwidth into --chain of flatpod install, or agent.chain of the chart');
    },
  },
  INTROSPECTION_BIND_ADDRESS: needless(
    '127.0.0.1:61679',
    "flatpod status, flatpod pod and flatpod check, over a socket that is root's alone",
  ),
  DISABLE_INTROSPECTION: needless('false', "the agent's socket is root's alone"),
  DISABLE_METRICS: onlyDefault(
    'false',
    'flatpod status --json and kubectl flatpod status',
    'the agent serves no metrics over HTTP yet',
    'nothing: there is nothing to switch off',
  ),
  AWS_VPC_K8S_CNI_LOGLEVEL: {
    default: 'DEBUG',
    read({ account, setting, plan, isSet, text }) {
      const level = levels[text.toLowerCase()];
      if (!isSet) account.equal(setting, 'NodeConfig spec.log, info unless said otherwise');
      else if (level === undefined) account.wrong(setting, `must be DEBUG, INFO, WARN, ERROR or FATAL, not ${JSON.stringify(text)}`, '');
      else {
        plan.log = level;
        account.taken(setting, 'NodeConfig spec.log');
      }
    },
  },
  AWS_VPC_K8S_CNI_LOG_FILE: needless('', 'the log goes to stderr, where kubectl logs and journalctl read it'),
  AWS_VPC_K8S_PLUGIN_LOG_LEVEL: needless('', 'the CNI executable has no log of its own: what it did is in the log of the agent'),
  AWS_VPC_K8S_PLUGIN_LOG_FILE: needless('', 'the CNI executable has no log of its own: what it did is in the log of the agent'),
  DISABLE_TCP_EARLY_DEMUX: needless('false', 'not needed: Pods with a branch are reached by a veth beside it'),
  MY_NODE_NAME: needless('', owned),
  MY_POD_NAME: needless('', owned),
  VPC_ID: {
    default: '',
    read({ account, setting, plan, text }) {
      if (text === '')
        account.equal(setting, "ControllerConfig spec.cloud.vpc; the VPC of the controller's own instance unless said otherwise");
      else {
        plan.vpc = text;
        account.taken(setting, 'ControllerConfig spec.cloud.vpc');
      }
    },
  },
  VPC_CNI_VERSION: needless('', 'nothing'),
};

/** Undefined: it is no JSON object. */
function tagsIn(text: string): [string, unknown][] | undefined {
  try {
    const value: unknown = JSON.parse(text === '' ? '{}' : text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : undefined;
  } catch {
    return undefined;
  }
}
