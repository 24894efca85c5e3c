/** The subcommands of `kubectl flatpod`, which is `flatpod kubectl` under the name by which kubectl finds its plugins. */
import { Command } from 'commander';
import { run } from '../exit.ts';
import { sub } from '../subcommand.ts';
import type { IpOptions } from './ip.ts';
import type { CommonOptions, PodOptions } from './target.ts';

/** Adds them. */
export function addKubectl(root: Command): void {
  const plugin = root
    .command('kubectl', { hidden: true })
    .description('what Flatpod does in the cluster: who has which addresses, and why a Pod has none')
    .configureHelp({ commandUsage: usageOf })
    .addHelpText('after', '\nExample:\n  kubectl flatpod why shop/web-0')
    .showHelpAfterError('(--help shows an example)')
    .exitOverride();
  common(sub(plugin, 'status', 'shows subnets, nodes, and what will run out first', 'kubectl flatpod status')).action(
    async (options: CommonOptions) => {
      await run(options.json, async () => (await import('./status.ts')).showCluster(options));
    },
  );
  aboutPod(
    sub(plugin, 'pod', "shows every object behind a Pod, from the cloud's address to the kernel", 'kubectl flatpod pod shop/web-0'),
  ).action(async (pod: string, options: PodOptions) => {
    await run(options.json, async () => (await import('./pod.ts')).showPodStack(pod, options));
  });
  aboutPod(sub(plugin, 'why', 'tells why a Pod has no address', 'kubectl flatpod why -n shop web-0')).action(
    async (pod: string, options: PodOptions) => {
      await run(options.json, async () => (await import('./why.ts')).showWhy(pod, options));
    },
  );
  common(sub(plugin, 'ip', 'tells who has an address, and who had it before', 'kubectl flatpod ip 10.20.0.17'))
    .argument('<address>', 'IPv4 or IPv6')
    .option('--everywhere', 'ask every agent who had it before, also of more than 16 nodes', false)
    .action(async (address: string, options: IpOptions) => {
      await run(options.json, async () => (await import('./ip.ts')).showOwner(address, options));
    });
}

function common(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'as of kubectl')
    .option('--context <name>', 'as of kubectl')
    .option('--json', 'print one JSON object', false);
}

function aboutPod(command: Command): Command {
  return common(command.argument('<pod>', 'NAMESPACE/NAME, or NAME in the namespace of -n or of the context')).option(
    '-n, --namespace <name>',
    'as of kubectl',
  );
}

/** People type `kubectl flatpod`. */
function usageOf(command: Command): string {
  const own = command.name() === 'kubectl' ? '' : `${command.name()} `;
  return `kubectl flatpod ${own}${command.usage()}`;
}
