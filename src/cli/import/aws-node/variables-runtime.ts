/** Variables about where the plugin's programs find and leave things: the endpoints they speak to, files, links of Pods. */
import { needless, type VariableRule } from './plan.ts';

/** Of Pods' host ends; the plugin takes no longer one. */
const USUAL_PREFIX = 'eni';
const MOST_LETTERS = 4;
const USUAL_RECORD = '/var/run/aws-node/ipam.json';

const places = 'agent.binDir and agent.confDir of the chart, --bin-dir and --conf-dir of flatpod install, as paths on the node';

/** By name. */
export const runtimeVariables: Readonly<Record<string, VariableRule>> = {
  AWS_EC2_ENDPOINT: {
    default: '',
    read({ account, setting, plan, text }) {
      if (text === '') account.equal(setting, "ControllerConfig spec.cloud.endpoint; the region's unless said otherwise");
      else if (URL.canParse(text) && /^https?:\/\/[^@]+$/i.test(text)) {
        plan.endpoint = text;
        account.taken(setting, 'ControllerConfig spec.cloud.endpoint');
      } else
        account.none(
          // There may be a password in it.
          { ...setting, value: undefined },
          'it is neither http://HOST nor https://HOST, or has a user in it',
          'write such an address as cloud.endpoint of the ControllerConfig',
        );
    },
  },
  CLUSTER_ENDPOINT: {
    default: '',
    read({ account, setting, text }) {
      const how = 'apiServer.host and apiServer.port of the chart';
      account.equal(setting, text === '' ? how : `${how}: write them where the agent is to start before kube-proxy`);
    },
  },
  HOST_CNI_BIN_PATH: needless('/host/opt/cni/bin', places),
  HOST_CNI_CONFDIR_PATH: needless('/host/etc/cni/net.d', places),
  AWS_VPC_K8S_CNI_VETHPREFIX: {
    default: USUAL_PREFIX,
    read({ account, setting, plan, text }) {
      if (text === USUAL_PREFIX)
        account.equal(setting, 'numbers.linkPrefix of the NodeConfig: fp, so that links of both plugins are told apart');
      else if (text.length > MOST_LETTERS || !/^[\w.-]+$/.test(text))
        account.wrong(setting, `must be at most ${MOST_LETTERS} letters, not ${JSON.stringify(text)}`, '');
      else {
        plan.takeover.vethPrefix = text;
        account.taken(setting, 'agent.awsNode.vethPrefix of the chart, by which a take-over finds Pods; --veth-prefix of flatpod takeover');
      }
    },
  },
  AWS_VPC_K8S_CNI_BACKING_STORE: {
    default: USUAL_RECORD,
    read({ account, setting, plan, text }) {
      if (text === USUAL_RECORD) account.equal(setting, "the agent's database, /var/lib/flatpod on the node");
      else if (!/^(\/[\w.-]+){2,}$/.test(text)) account.wrong(setting, `must be an absolute path, not ${JSON.stringify(text)}`, '');
      else {
        plan.takeover.checkpoint = text;
        account.taken(
          setting,
          'agent.awsNode.checkpoint of the chart, in which a take-over finds Pods; --checkpoint of flatpod takeover',
          'write the path on the node, if the DaemonSet mounts another folder of it there',
        );
      }
    },
  },
  AWS_VPC_K8S_CNI_CONFIGURE_RPFILTER: needless('true', 'nothing: the plugin does not read it any more'),
  ENABLE_NFTABLES: needless('false', 'rules are always those of nftables, in a table of our own, whatever iptables the node has'),
};
