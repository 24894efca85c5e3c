/** Nodes: which of them say their ENIConfig otherwise than by the usual label, by another label or an annotation. */
import { type Account, below, type Setting } from '../../../import/account.ts';
import { textIn } from '../../../import/values.ts';
import { type EniConfig, EXTERNAL_LABEL } from './eni-configs.ts';

/** By what a node names its ENIConfig. The external label goes before the annotation, and that before the label. */
export interface NamedBy {
  readonly label: string;
  readonly annotation: string;
}

/** The ENIConfigs that nodes name by the external label, or are to name so since they do by an annotation: that is told, node by node. */
export function externalConfigs(
  nodes: readonly Setting[],
  configs: readonly EniConfig[],
  { label, annotation }: NamedBy,
  account: Account,
): Set<string> {
  const external = new Set<string>();
  for (const node of nodes) {
    const name = textIn(account, below(node, 'metadata', 'name')) ?? '';
    const said = (where: 'labels' | 'annotations', key: string): string | undefined => {
      const found = below(node, 'metadata', where, key);
      return found.value === undefined ? undefined : textIn(account, found);
    };
    const byLabel = said('labels', EXTERNAL_LABEL);
    const byAnnotation = said('annotations', annotation);
    const config = byLabel ?? byAnnotation;
    if (config === undefined || (byLabel === undefined && config === said('labels', label))) continue;
    if (!configs.some((one) => one.name === config)) {
      account.left(
        `Node ${name}`,
        EXTERNAL_LABEL,
        `it names the ENIConfig ${config}, which is not among the files`,
        'add that, or correct the node',
      );
      continue;
    }
    external.add(config);
    if (byLabel !== undefined) continue;
    const what = `its annotation ${annotation} goes before the label ${label} in the AWS plugin; PodSubnets go by labels`;
    account.left(`Node ${name}`, 'annotations', what, `kubectl label node ${name} ${EXTERNAL_LABEL}=${config}`);
  }
  return external;
}
