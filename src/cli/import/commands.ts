/** The subcommand `flatpod import`. */
import { Argument, type Command } from 'commander';
import { run } from '../exit.ts';
import { sub } from '../subcommand.ts';

/** Systems whose settings are read. */
export type SystemName = 'rubble' | 'aws-node' | 'hostnic';

/** Its options. */
export interface ImportOptions {
  readonly json: boolean;
  readonly output?: string;
}

/** Adds it. */
export function addImport(root: Command): void {
  sub(
    root,
    'import',
    'writes PodSubnets, IPClaims and configuration from what another system has, and says what has no equal',
    'kubectl -n kube-system get daemonset aws-node -o yaml > ds.yaml\n  flatpod import aws-node ds.yaml eniconfigs.yaml --output flatpod',
  )
    .addArgument(new Argument('<system>', 'whose files these are').choices(['rubble', 'aws-node', 'hostnic']))
    .argument('<file...>', 'its files, and dumps of its objects, in YAML or JSON; - for stdin (docs/migrate)')
    .option('--output <dir>', 'write the documents into a directory of their own, in place of stdout')
    .option('--json', 'print one JSON object', false)
    .action(async (system: SystemName, files: string[], options: ImportOptions) => {
      await run(options.json, async () => (await import('./import.ts')).runImport(system, files, options));
    });
}
