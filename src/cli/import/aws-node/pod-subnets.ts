/** The PodSubnets: of ENIConfigs, or of the VPC's subnets. */
import type { Account } from '../../../import/account.ts';
import { type Made, warmFields } from '../../../import/made.ts';
import { asName } from '../../../import/values.ts';
import { type EniConfig, EXTERNAL_LABEL } from './eni-configs.ts';
import type { AwsPlan } from './plan.ts';
import { type AwsSubnet, TAG } from './subnets.ts';

const ZONE = 'topology.kubernetes.io/zone';

/** What all PodSubnets have in common. */
function commonOf({ warm, unit, families, interfaces }: AwsPlan): Record<string, unknown> {
  const { perNode, ...others } = warmFields(warm);
  return {
    ...((families.length > 1 || families[0] === 6) && { families }),
    ...(unit !== undefined && { unit }),
    ...others,
    ...((perNode !== undefined || interfaces !== undefined) && {
      // warmFields makes an object of it, or nothing.
      perNode: { ...(perNode as object | undefined), ...(interfaces !== undefined && { interfaces }) },
    }),
  };
}

/** Without ENIConfigs: one for all subnets where the plugin finds them by tag, else one for each; or a first one whose subnet is to be filled in. */
export function ofSubnets(plan: AwsPlan, subnets: readonly AwsSubnet[], account: Account): Made[] {
  const common = { default: true, ...commonOf(plan) };
  if (subnets.length === 0)
    return [{ kind: 'PodSubnet', name: 'pods', spec: common, comment: 'To be completed, and copied for each zone.' }];
  if (plan.discovers === true) {
    const byTag = subnets.every(({ isTagged }) => isTagged);
    const cloudSubnets = byTag ? { tags: { [TAG]: '1' } } : { ids: subnets.map(({ id }) => id) };
    if (!byTag) {
      const what = `they are named by ids, since not all of them have the tag ${TAG}: one that gets it later is not found`;
      account.left('the PodSubnets', 'spec.cloudSubnets', what, `give all of them the tag, and write tags: {${TAG}: "1"} instead of ids`);
    }
    return [{ kind: 'PodSubnet', name: 'pods', spec: { cloudSubnets, ...common }, comment: 'Nodes of all zones' }];
  }
  return subnets.map(({ id, zone }) => ({
    kind: 'PodSubnet',
    name: asName(id),
    spec: { cloudSubnet: id, nodeSelector: { matchLabels: { [ZONE]: zone } }, ...common },
    comment: `Nodes of zone ${zone}`,
  }));
}

/** One for each ENIConfig, and another one for nodes that name it by the external label, where there are such (`external`). */
export function ofConfigs(plan: AwsPlan, label: string, configs: readonly EniConfig[], external: ReadonlySet<string>): Made[] {
  const made = (name: string, { subnet, securityGroups }: EniConfig, nodeSelector: object, comment: string): Made => ({
    kind: 'PodSubnet',
    name: asName(name),
    spec: {
      cloudSubnet: subnet,
      default: true,
      nodeSelector,
      ...(securityGroups.length > 0 && { securityGroups }),
      useFirstNic: false,
      ...commonOf(plan),
    },
    comment,
  });
  return configs.flatMap((config) => [
    made(config.name, config, selectorFor(config.name, label, external.size > 0), `ENIConfig ${config.name}`),
    ...(external.has(config.name)
      ? [
          made(
            `${config.name}-external`,
            config,
            { matchLabels: { [EXTERNAL_LABEL]: config.name } },
            `ENIConfig ${config.name}, for nodes with the label ${EXTERNAL_LABEL}`,
          ),
        ]
      : []),
  ]);
}

/** The ENIConfig "default" is for nodes without the label; the external label goes before it. */
function selectorFor(name: string, label: string, isExternalUsed: boolean): Record<string, unknown> {
  const none = (key: string) => ({ key, operator: 'DoesNotExist' });
  const others = isExternalUsed ? [none(EXTERNAL_LABEL)] : [];
  if (name === 'default') return { matchExpressions: [none(label), ...others] };
  return { matchLabels: { [label]: name }, ...(others.length > 0 && { matchExpressions: others }) };
}
