/** Nodes: which of them say their ENIConfig otherwise than by the usual label, by another label or an annotation. */
import { type Account, below, type Setting } from '../../../import/account.ts';
import { textIn } from '../../../import/values.ts';
import { type EniConfig, EXTERNAL_LABEL, USUAL_NAME } from './eni-configs.ts';

/** By what a node names its ENIConfig. The external label goes before the annotation, and that before the label. */
export interface NamedBy {
  readonly label: string;
  readonly annotation: string;
}

/** Which of the two that go before the label nodes use: PodSubnets have to heed them then, also on nodes that get them later. */
export interface OtherNames {
  readonly external: boolean;
  readonly annotation: boolean;
}

/** What nodes say otherwise than by the label. One that names an ENIConfig which is not there is told of, by whatever it names it. */
export function otherNames(
  nodes: readonly Setting[],
  configs: readonly EniConfig[],
  { label, annotation }: NamedBy,
  account: Account,
): OtherNames {
  // Whoever has chosen an annotation uses it, perhaps on nodes that are to come.
  const used = { external: false, annotation: annotation !== USUAL_NAME };
  for (const node of nodes) {
    const name = textIn(account, below(node, 'metadata', 'name')) ?? '';
    const said = (where: 'labels' | 'annotations', key: string): string | undefined => {
      const found = below(node, 'metadata', where, key);
      return found.value === undefined ? undefined : textIn(account, found);
    };
    const byLabel = said('labels', EXTERNAL_LABEL);
    const byAnnotation = said('annotations', annotation);
    const usually = said('labels', label);
    const config = byLabel ?? byAnnotation ?? usually;
    if (config === undefined) continue;
    const by = byLabel !== undefined ? 'external' : config === usually ? 'label' : 'annotation';
    if (by !== 'label') used[by] = true;
    if (configs.some((one) => one.name === config)) continue;
    const what = `it names the ENIConfig ${config}, which is not among the files`;
    account.left(`Node ${name}`, { external: EXTERNAL_LABEL, annotation, label }[by], what, 'add that, or correct the node');
  }
  return used;
}
