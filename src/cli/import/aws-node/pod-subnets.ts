/** The PodSubnets: of ENIConfigs, or of the VPC's subnets. */
import type { Account } from '../../../import/account.ts';
import { type Made, warmFields } from '../../../import/made.ts';
import { asName } from '../../../import/values.ts';
import { type EniConfig, EXTERNAL_LABEL } from './eni-configs.ts';
import type { NamedBy, OtherNames } from './nodes.ts';
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

/**
 * One for each ENIConfig; where nodes use the annotation or the external label, two or three: for nodes with the external label, for those of the others with
 * the annotation, and for those of the others with the label, as the plugin looks for them.
 */
export function ofConfigs(plan: AwsPlan, by: NamedBy, configs: readonly EniConfig[], used: OtherNames): Made[] {
  const made = (name: string, { subnet, securityGroups }: EniConfig, selectors: object, comment: string): Made => ({
    kind: 'PodSubnet',
    name: asName(name),
    spec: {
      cloudSubnet: subnet,
      default: true,
      ...selectors,
      ...(securityGroups.length > 0 && { securityGroups }),
      useFirstNic: false,
      ...commonOf(plan),
    },
    comment,
  });
  const notExternal = used.external ? [without(EXTERNAL_LABEL)] : [];
  return configs.flatMap((config) => {
    const { name } = config;
    const about = `ENIConfig ${name}`;
    const all = [made(name, config, byLabelOf(name, by, notExternal, used), about)];
    if (used.annotation) {
      const nodeAnnotationSelector = { matchLabels: { [by.annotation]: name } };
      const selectors = { ...(notExternal.length > 0 && { nodeSelector: { matchExpressions: notExternal } }), nodeAnnotationSelector };
      all.push(made(`${name}-annotated`, config, selectors, `${about}, for nodes with the annotation ${by.annotation}`));
    }
    if (used.external) {
      const nodeSelector = { matchLabels: { [EXTERNAL_LABEL]: name } };
      all.push(made(`${name}-external`, config, { nodeSelector }, `${about}, for nodes with the label ${EXTERNAL_LABEL}`));
    }
    return all;
  });
}

/** The ENIConfig "default" is for nodes without the label; the external label and the annotation go before it. */
function byLabelOf(name: string, { label, annotation }: NamedBy, notExternal: readonly object[], used: OtherNames): object {
  const nodeSelector =
    name === 'default'
      ? { matchExpressions: [without(label), ...notExternal] }
      : { matchLabels: { [label]: name }, ...(notExternal.length > 0 && { matchExpressions: notExternal }) };
  return { nodeSelector, ...(used.annotation && { nodeAnnotationSelector: { matchExpressions: [without(annotation)] } }) };
}

function without(key: string): object {
  return { key, operator: 'DoesNotExist' };
}
