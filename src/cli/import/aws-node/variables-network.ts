/** Variables about addresses outside of the VPC, families, subnets and security groups. */
import { blocksIn, numberIn } from '../../../import/values.ts';
import { USUAL_NAME } from './eni-configs.ts';
import { isTrue, needless, onlyDefault, type VariableRule } from './plan.ts';

const twoFamilies = {
  why: 'Flatpod gives no Pod an address of the other family that only its node knows',
  remedy: 'write families: [4, 6] in PodSubnets of subnets that have both: Pods get addresses of both families in the VPC',
};

const family = (own: 4 | 6): VariableRule => ({
  default: own === 4 ? 'true' : 'false',
  read({ account, setting, plan, text }) {
    const wanted = isTrue(text);
    if (wanted) plan.families = [...plan.families, own].toSorted((a, b) => a - b);
    if (wanted) account.taken(setting, `PodSubnet spec.families, with ${own}`);
    else account.equal(setting, `spec.families without ${own}`);
  },
});

const egress = (own: 'ENABLE_IPv4' | 'ENABLE_IPv6', usual: string): VariableRule => ({
  default: usual,
  read({ account, setting, text, other }) {
    if (!isTrue(text)) account.equal(setting, 'off, as in Flatpod');
    else if (isTrue(other(own))) account.equal(setting, 'nothing: it is for clusters of the other family');
    else account.none(setting, twoFamilies.why, twoFamilies.remedy);
  },
});

const custom: VariableRule = {
  default: 'false',
  read({ account, setting, plan, text, other }) {
    if (!isTrue(text)) account.equal(setting, 'PodSubnets are chosen by their selectors');
    else {
      const named = other('ENI_CONFIG_LABEL_DEF');
      plan.customBy = named === '' ? USUAL_NAME : named;
      plan.customByAnnotation = other('ENI_CONFIG_ANNOTATION_DEF');
      account.taken(setting, 'a PodSubnet for each ENIConfig, with spec.nodeSelector and spec.useFirstNic: false');
    }
  },
};

const customName = (what: 'label' | 'annotation'): VariableRule => ({
  default: USUAL_NAME,
  read({ account, setting, other }) {
    const isOn = isTrue(other('AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG'));
    if (!isOn) account.equal(setting, 'nothing: custom networking is off');
    else if (what === 'label') account.taken(setting, 'PodSubnet spec.nodeSelector');
    else account.taken(setting, 'PodSubnet spec.nodeAnnotationSelector, where it is set or a node has such an annotation');
  },
});

/** By name. */
export const networkVariables: Readonly<Record<string, VariableRule>> = {
  ENABLE_IPv4: family(4),
  ENABLE_IPv6: family(6),
  ENABLE_V4_EGRESS: egress('ENABLE_IPv4', 'true'),
  ENABLE_V6_EGRESS: egress('ENABLE_IPv6', 'false'),
  DISABLE_POD_V6: onlyDefault(
    'false',
    'the host end of a Pod without IPv6 takes no part in IPv6',
    'Flatpod does not switch IPv6 off inside of Pods',
    'set net.ipv6.conf.all.disable_ipv6 in the securityContext of Pods that need it',
  ),
  AWS_VPC_K8S_CNI_EXTERNALSNAT: {
    default: 'false',
    read({ account, setting, plan, text }) {
      if (!isTrue(text)) account.equal(setting, 'NodeConfig spec.snat.enabled, true unless said otherwise');
      else {
        plan.snat.enabled = false;
        account.taken(setting, 'NodeConfig spec.snat.enabled: false');
      }
    },
  },
  AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: {
    default: '',
    read({ account, setting, plan, text }) {
      const blocks = blocksIn(account, { ...setting, value: text });
      if (blocks.length === 0) account.equal(setting, "NodeConfig spec.snat.exclude; the VPC's own blocks need not be named");
      else {
        plan.snat.exclude = blocks;
        account.taken(setting, 'NodeConfig spec.snat.exclude');
      }
    },
  },
  AWS_VPC_K8S_CNI_RANDOMIZESNAT: onlyDefault(
    'prng',
    'always: ports are chosen at random, as by --random-fully',
    'Flatpod always chooses ports at random, as by --random-fully',
    'nothing, unless a firewall behind the node counts on it',
  ),
  AWS_VPC_CNI_NODE_PORT_SUPPORT: onlyDefault(
    'true',
    'always: replies leave by the interface that the request came in by',
    'Flatpod always does it',
    'nothing: it is one rule in a table of our own',
  ),
  AWS_EXTERNAL_SERVICE_CIDRS: onlyDefault(
    '',
    'what leaves the VPC leaves by the first interface',
    "there is no rule that has a Pod leave by the node's first interface with its own address",
    'nothing when SNAT is on, as such traffic leaves by it; else tell us what needs it',
  ),
  AWS_VPC_K8S_CNI_CONNMARK: onlyDefault(
    '0x80',
    'numbers.snatMark and numbers.markMask of the NodeConfig: 0x1000 and 0x6e, which meet no mark of the AWS plugin',
    'marks of Flatpod are other bits, so that both can run on one node',
    'write numbers.snatMark and numbers.markMask in the NodeConfig if another program uses 0x1000 or 0x6e',
  ),
  AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: custom,
  ENI_CONFIG_LABEL_DEF: customName('label'),
  ENI_CONFIG_ANNOTATION_DEF: customName('annotation'),
  ENABLE_SUBNET_DISCOVERY: {
    default: 'true',
    read({ account, setting, plan, text, other }) {
      const how = 'PodSubnets name their subnets by id; of several the next is tried when one is full, in the order of spec.priority';
      if (isTrue(other('AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG'))) account.equal(setting, 'nothing: ENIConfigs say the subnets');
      else if (!isTrue(text)) account.equal(setting, how);
      else {
        plan.discovers = true;
        account.taken(setting, 'PodSubnet spec.cloudSubnets: of several the one with the most free addresses in the zone of the node');
      }
    },
  },
  ENABLE_POD_ENI: {
    default: 'false',
    read({ account, setting, plan, text }) {
      if (!isTrue(text)) account.equal(setting, 'off, until a PodSubnet has datapath: branch');
      // Accounted for with the policies (group-policies.ts).
      else plan.podEni = setting;
    },
  },
  POD_SECURITY_GROUP_ENFORCING_MODE: needless('strict', 'a branch has its own interface in the Pod: always strict'),
  ENABLE_MULTI_NIC: onlyDefault(
    'false',
    'several networks in one Pod are several plugins or networks of the runtime',
    'Flatpod does not put a Pod on every network card by an annotation',
    'give such Pods further networks by name (docs/datapaths.md, several interfaces in one Pod)',
  ),
  NETWORK_POLICY_ENFORCING_MODE: onlyDefault(
    'standard',
    'nothing: NetworkPolicy is not enforced by Flatpod yet',
    'NetworkPolicy is not enforced by Flatpod yet: Pods would be open',
    'stay with the AWS plugin, or bring a policy engine that works on host veths, if your Pods rely on it',
  ),
  AWS_VPC_ENI_MTU: {
    default: '9001',
    read({ account, setting, plan, text }) {
      const mtu = numberIn(account, { ...setting, value: text }, 1280, 65_535);
      if (mtu === undefined) return;
      if (mtu === 9001) account.equal(setting, 'ControllerConfig spec.cloud.mtu, 9001 unless said otherwise');
      else {
        plan.mtu = mtu;
        account.taken(setting, 'ControllerConfig spec.cloud.mtu');
      }
    },
  },
  POD_MTU: onlyDefault(
    '',
    "a Pod's link has the MTU of its interface",
    'the MTU of Pods is no field of a PodSubnet',
    'write "mtu" into the network configuration (docs/cni.md), if it is to be less than that of the interface',
  ),
};
