/**
 * Checks a configuration: YAML documents, the first a NodeConfig, the others PodSubnets; or a ControllerConfig alone.
 *
 * Invariants
 * - all mistakes are reported at once, by line, up to a limit
 * - objects come out only when there is no mistake at all: nothing is repaired or left out silently
 */
import type { Problem } from './config-problem.ts';
import { ConfigText, LIMIT } from './config-text.ts';
import { type ControllerConfig, controllerConfig } from './controller-config.ts';
import { checkNumbers, checkSubnet, checkTogether, inFileOfCluster } from './cross-checks.ts';
import { type NodeConfig, nodeConfig } from './node-config.ts';
import { checkMode } from './node-mode.ts';
import { type PodSubnet, podSubnet } from './pod-subnet.ts';
import { show } from './say-issue.ts';

/** What the configuration file of a node holds. */
export interface Config {
  readonly config: NodeConfig;
  readonly subnets: readonly PodSubnet[];
}

/** The mistakes of a configuration, of whichever program, in the order of the file, at most 50. Empty: it is right. */
export function checkConfig(text: string): Problem[] {
  const file = new ConfigText(text);
  const parsed = file.firstKind() === 'ControllerConfig' ? parseControllerConfig(text) : parseConfig(text);
  return 'problems' in parsed ? parsed.problems : [];
}

/** The objects of a node's configuration, or its mistakes. */
export function parseConfig(text: string): Config | { problems: Problem[] } {
  const file = new ConfigText(text);
  const configs: NodeConfig[] = [];
  const subnets: PodSubnet[] = [];
  for (const { document, value, kind, isFirst } of file.objects()) {
    if (isFirst ? kind !== 'NodeConfig' : kind !== 'PodSubnet') {
      const remedy = isFirst ? 'the first document is the NodeConfig' : 'every document after the first is a PodSubnet';
      file.report(document, ['kind'], kind === undefined ? 'is missing' : `is ${show(kind)}`, remedy);
    }
    if (kind === 'NodeConfig') file.read(document, value, nodeConfig, configs);
    if (kind === 'PodSubnet') file.read(document, value, podSubnet, subnets);
  }
  file.reportClashes(configs.flatMap((config) => [...checkMode(config), ...checkNumbers(config)]));
  const [config] = configs;
  const together = config?.spec.cluster === undefined ? checkTogether : inFileOfCluster;
  file.reportClashes([...subnets.flatMap(checkSubnet), ...together(subnets)]);
  return file.problems.length > 0 || config === undefined ? mistakes(file) : { config, subnets };
}

/** A controller's configuration, or its mistakes. */
export function parseControllerConfig(text: string): ControllerConfig | { problems: Problem[] } {
  const file = new ConfigText(text);
  const configs: ControllerConfig[] = [];
  for (const { document, value, kind, isFirst } of file.objects()) {
    if (kind !== 'ControllerConfig' || !isFirst) {
      const remedy = 'the file of a controller is one ControllerConfig; in a cluster, PodSubnets are objects of the API server';
      file.report(document, ['kind'], kind === undefined ? 'is missing' : `is ${show(kind)}`, remedy);
    } else file.read(document, value, controllerConfig, configs);
  }
  const [config] = configs;
  return file.problems.length > 0 || config === undefined ? mistakes(file) : config;
}

function mistakes({ problems }: ConfigText): { problems: Problem[] } {
  return { problems: problems.toSorted((a, b) => a.line - b.line || a.column - b.column).slice(0, LIMIT) };
}
