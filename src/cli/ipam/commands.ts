/** The subcommands of `flatpod ipam`: the books of the IPAM plugin, read and written beside the agent, or without one. */
import type { Command } from 'commander';
import { run } from '../exit.ts';
import { sub } from '../subcommand.ts';

/** Options that all of them have. */
export interface BooksOptions {
  readonly state: string;
  readonly scope?: string;
  readonly json: boolean;
}

/** Options of `release`. */
export interface ReleaseOptions extends BooksOptions {
  readonly ifname?: string;
  readonly rest: string;
}

/** Options of `import`. */
export interface ImportOptions extends BooksOptions {
  readonly network?: string;
}

/** Adds them. `state` is the usual directory of the state. */
export function addIpam(root: Command, state: string): void {
  const ipam = root.command('ipam').description('the addresses that the IPAM plugin gave out of configured ranges').exitOverride();
  const books = (command: Command): Command =>
    command
      .option('--state <dir>', 'directory of the state', state)
      .option('--scope <name>', "what addresses are unique in, as list shows it; for host-local the network's directory")
      .option('--json', 'print one JSON object', false);
  books(sub(ipam, 'list', 'shows all leases', 'flatpod ipam list')).action(async (options: BooksOptions) => {
    await run(options.json, async () => (await import('./look.ts')).listLeases(options));
  });
  books(sub(ipam, 'show', 'tells who has an address', 'flatpod ipam show 10.1.0.7'))
    .argument('<address>', 'IPv4 or IPv6')
    .action(async (address: string, options: BooksOptions) => {
      await run(options.json, async () => (await import('./look.ts')).showLease(address, options));
    });
  books(sub(ipam, 'release', 'takes an address, or all of a container, from one that is gone', 'flatpod ipam release 10.1.0.7'))
    .argument('<what>', 'an address, or the id of a container')
    .option('--ifname <name>', 'of the container only what it has at this interface')
    .option('--rest <seconds>', 'how long the address is passed over', '120')
    .action(async (what: string, options: ReleaseOptions) => {
      await run(options.json, async () => (await import('./change.ts')).releaseLeases(what, options));
    });
  books(
    sub(
      ipam,
      'import',
      'takes over what host-local or whereabouts gave',
      'flatpod ipam import /var/lib/cni/networks/lan\n  kubectl get ippools -A -o yaml | flatpod ipam import -',
    ),
  )
    .argument('<path>', "host-local's folder of one network, or a file with IPPools of whereabouts; - for stdin")
    .option('--network <name>', 'name of the CNI network, for GC; of a folder its own name')
    .action(async (path: string, options: ImportOptions) => {
      await run(options.json, async () => (await import('./change.ts')).importLeases(path, options));
    });
}
