/** ENIConfigs: custom networking, a subnet and security groups for the nodes of a zone or label. */
import { type Account, below, membersOf, type Setting } from '../../../import/account.ts';
import { textIn } from '../../../import/values.ts';

/** One ENIConfig. */
export interface EniConfig {
  readonly name: string;
  readonly subnet: string;
  readonly securityGroups: readonly string[];
  readonly from: Setting;
}

/** The label that goes before ENI_CONFIG_LABEL_DEF. */
export const EXTERNAL_LABEL = 'vpc.amazonaws.com/externalEniConfig';

/** The label and the annotation that name a node's ENIConfig, unless variables name others. */
export const USUAL_NAME = 'k8s.amazonaws.com/eniConfig';

/** Those of the objects. They are accounted for as taken when `used` says so. */
export function readEniConfigs(objects: readonly Setting[], used: boolean, account: Account): EniConfig[] {
  const seen = new Set<string>();
  return objects.flatMap((object) => {
    const named = below(object, 'metadata', 'name');
    const name = textIn(account, named);
    if (name === undefined) {
      if (named.value === undefined) account.wrong(named, 'is missing', 'make the dump again');
      return [];
    }
    if (seen.has(name)) account.wrong(named, `${name} stands there twice`, 'give each ENIConfig once');
    seen.add(name);
    const found = readOne(object, name, used, account);
    return found === undefined ? [] : [found];
  });
}

function readOne(object: Setting, name: string, used: boolean, account: Account): EniConfig | undefined {
  const at = below(object, 'spec');
  const spec = account.part({ ...at, name: `ENIConfig ${name} spec` }, 'an ENIConfig');
  const [subnet, groups] = [spec.get('subnet'), spec.get('securityGroups')];
  const id = textIn(account, subnet);
  if (subnet === undefined) account.wrong(at, 'has no subnet', 'add it, or leave the ENIConfig out');
  const securityGroups = (groups === undefined ? [] : membersOf(account, groups)).flatMap((member) => textIn(account, member) ?? []);
  for (const setting of [subnet, groups].filter((one) => one !== undefined)) {
    if (used) account.taken(setting, setting === subnet ? 'PodSubnet spec.cloudSubnet' : 'PodSubnet spec.securityGroups');
    else
      account.none(
        setting,
        'AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG is not true, so the plugin does not use it',
        'nothing, if that is as it should be',
      );
  }
  return id === undefined || !used ? undefined : { name, subnet: id, securityGroups, from: at };
}
