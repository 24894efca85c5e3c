/** The subcommand `flatpod takeover`. */
import { Argument, type Command } from 'commander';
import { type FormerPlugin, formerPlugins } from '../../datapath/interface.ts';
import { NAMED } from '../../kernel/netns.ts';
import { run } from '../exit.ts';
import { sub } from '../subcommand.ts';

/** Where the agent's configuration usually is (flatpod install). */
export const USUAL_CONFIG = '/etc/flatpod/node.yaml';

/** Its options, as typed. */
export interface TakeoverOptions {
  readonly checkpoint: string;
  readonly ifAny: boolean;
  readonly vethPrefix: string;
  readonly kept?: string;
  readonly node?: string;
  readonly runtimeSocket: string;
  readonly netnsDir: string;
  readonly config?: string;
  readonly socket: string;
  readonly state: string;
  readonly json: boolean;
}

/** Adds it. `places`: where the agent's socket and state usually are. */
export function addTakeover(root: Command, places: { readonly socket: string; readonly state: string }): void {
  sub(
    root,
    'takeover',
    "makes the Pods that a former plugin made on this node the agent's: they keep their network until they end",
    'flatpod takeover aws-node\n  flatpod takeover hostnic --kept kept.json',
  )
    .addArgument(new Argument('<plugin>', 'who made them').choices(formerPlugins))
    .option('--checkpoint <file>', "aws-node: its daemon's record of Pods; - for stdin", '/var/run/aws-node/ipam.json')
    .option('--if-any', 'aws-node: without such a record, as on a new node, do nothing', false)
    .option('--veth-prefix <text>', 'aws-node: first letters of its host ends (AWS_VPC_K8S_CNI_VETHPREFIX)', 'eni')
    .option('--kept <file>', 'hostnic, rubble: the kept.json that flatpod import wrote')
    .option('--node <name>', "hostnic, rubble: this node's name in that file; NODE_NAME or the host name when absent")
    .option(
      '--runtime-socket <path>',
      'hostnic, rubble: CRI socket of the runtime, which knows the containers',
      '/run/containerd/containerd.sock',
    )
    .option('--netns-dir <dir>', 'where the runtime binds network namespaces', NAMED)
    .option(
      '--config <file>',
      `what the agent that comes is started with, which says by which numbers its own routes and rules are known; read when none runs yet; ${USUAL_CONFIG} when absent, if it is there`,
    )
    .option('--socket <path>', "the agent's socket", places.socket)
    .option('--state <dir>', 'directory of the state: written when no agent runs yet', places.state)
    .option('--json', 'print one JSON object', false)
    .action(async (plugin: FormerPlugin, options: TakeoverOptions) => {
      await run(options.json, async () => (await import('./takeover.ts')).runTakeover(plugin, options));
    });
}
