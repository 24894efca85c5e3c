/** The PodSubnets: of ENIConfigs, or of the VPC's subnets. */
import type { Account } from '../../../import/account.ts';
import { type Made, warmFields } from '../../../import/made.ts';
import { asName } from '../../../import/values.ts';
import { type EniConfig, EXTERNAL_LABEL } from './eni-configs.ts';
import type { NamedBy, OtherNames } from './nodes.ts';
import type { AwsPlan } from './plan.ts';
import { type AwsSubnet, CLUSTER_TAG, TAG } from './subnets.ts';

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
export function ofSubnets(plan: AwsPlan, all: readonly AwsSubnet[], account: Account): Made[] {
  const subnets = all.filter(({ isOthers }) => !isOthers);
  const common = { default: true, ...commonOf(plan) };
  if (subnets.length === 0)
    return [{ kind: 'PodSubnet', name: 'pods', spec: common, comment: 'To be completed, and copied for each zone.' }];
  if (plan.discovers === true) {
    const tags = tagsOf(plan, all);
    const cloudSubnets = tags === undefined ? { ids: subnets.map(({ id }) => id) } : { tags };
    if (tags === undefined) sayWhyIds(plan, all, account);
    return [{ kind: 'PodSubnet', name: 'pods', spec: { cloudSubnets, ...common }, comment: 'Nodes of all zones' }];
  }
  return subnets.map(({ id, zone }) => ({
    kind: 'PodSubnet',
    name: asName(id),
    spec: { cloudSubnet: id, nodeSelector: { matchLabels: { [ZONE]: zone } }, ...common },
    comment: `Nodes of zone ${zone}`,
  }));
}

/** The tags that all of them have, and none of another cluster's; undefined: there are none. */
function tagsOf(plan: AwsPlan, all: readonly AwsSubnet[]): Record<string, string> | undefined {
  const [first, ...more] = all.filter(({ isOthers }) => !isOthers);
  if (first?.isTagged !== true || more.some(({ isTagged }) => !isTagged)) return undefined;
  if (!areShared(all)) return { [TAG]: '1' };
  if (first.own === undefined || more.some(({ own }) => own !== first.own)) return undefined;
  return { [TAG]: '1', [`${CLUSTER_TAG}${plan.cluster}`]: first.own };
}

/** Whether clusters share the VPC, each with subnets of its own: by the one tag those of the others, given or not, would be found too. */
function areShared(all: readonly AwsSubnet[]): boolean {
  return all.some(({ isOthers, own }) => isOthers || own !== undefined);
}

function sayWhyIds({ cluster }: AwsPlan, all: readonly AwsSubnet[], account: Account): void {
  const wanted = areShared(all) ? `the tags ${TAG} and ${CLUSTER_TAG}${cluster}, each with one value` : `the tag ${TAG}`;
  const remedy = areShared(all)
    ? `give all of them both tags, and write these instead of ids: by ${TAG} alone those of other clusters are found too`
    : `give all of them the tag, and write tags: {${TAG}: "1"} instead of ids`;
  const what = `they are named by ids, since not all of them have ${wanted}: one that gets them later is not found`;
  account.left('the PodSubnets', 'spec.cloudSubnets', what, remedy);
}

/** Nodes that name no ENIConfig have the one of this name, and so have those that name it. */
const DEFAULT = 'default';

/**
 * One for each ENIConfig; where nodes use the annotation or the external label, two or three: for nodes with the external label, for those of the others with
 * the annotation, and for those of the others with the label, as the plugin looks for them. One more for "default": a selector cannot say that the label is
 * either not there or that.
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
  // The external label and the annotation go before the label, or before that there is none.
  const usually = (labels: object, matchExpressions: readonly object[]): object => ({
    nodeSelector: { ...labels, ...(matchExpressions.length > 0 && { matchExpressions }) },
    ...(used.annotation && { nodeAnnotationSelector: { matchExpressions: [without(by.annotation)] } }),
  });
  return configs.flatMap((config) => {
    const { name } = config;
    const about = `ENIConfig ${name}`;
    const labelled = usually({ matchLabels: { [by.label]: name } }, notExternal);
    const unlabelled = usually({}, [without(by.label), ...notExternal]);
    const all =
      name === DEFAULT
        ? [
            made(name, config, unlabelled, `${about}, for nodes without the label ${by.label}`),
            made(`${name}-labelled`, config, labelled, `${about}, for nodes whose label ${by.label} names it`),
          ]
        : [made(name, config, labelled, about)];
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

function without(key: string): object {
  return { key, operator: 'DoesNotExist' };
}
