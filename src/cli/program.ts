/** The subcommands and their options. Each loads its own code when it is called: `flatpod status` needs neither the controller nor the VPC. */
import { Command, CommanderError } from 'commander';
import type { AgentArguments } from './agent.ts';
import { run } from './exit.ts';
import type { InstallArguments, PlaceArguments } from './install.ts';
import { addImport } from './import/commands.ts';
import { addIpam } from './ipam/commands.ts';
import { addKubectl } from './kubectl/commands.ts';
import { sub } from './subcommand.ts';
import { addTakeover } from './takeover/commands.ts';
import type { VpcArguments } from './vpc.ts';

/** Where the agent's socket and state are, unless options or the environment say otherwise. */
const places = {
  socket: process.env['FLATPOD_SOCKET'] ?? '/run/flatpod/cni.sock',
  state: process.env['FLATPOD_STATE'] ?? '/var/lib/flatpod',
};

interface SocketOptions {
  readonly socket: string;
  readonly json: boolean;
}

/** Parses the arguments and runs what they ask for; sets the exit code: 0 done, 1 failed, 2 wrong use. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    await program().parseAsync(argv);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  }
}

function program(): Command {
  const root = new Command('flatpod')
    .description('VPC-native Pod networking: every Pod gets a first-class address of the network its node lives in')
    .exitOverride()
    .showHelpAfterError('(--help shows an example)');
  addAgent(root);
  addController(root);
  addVpc(root);
  addDemo(root);
  addStatus(root);
  addPod(root);
  addIp(root);
  addIpam(root, places.state);
  addImport(root);
  addTakeover(root, places);
  addCheck(root);
  addDrain(root);
  addConfig(root);
  addInstall(root);
  addUninstall(root);
  addKubectl(root);
  return root;
}

function addAgent(root: Command): void {
  sub(root, 'agent', 'runs the node agent', 'flatpod agent --config /etc/flatpod/node.yaml')
    .option('--config <file>', 'NodeConfig and PodSubnets (YAML); without it the agent serves only what needs no cloud')
    .option('--controller <file>', "ControllerConfig (YAML): stand for the cluster's controller as well, with credentials on this node")
    .option('--socket <path>', 'socket for the CNI executable', places.socket)
    .option('--state <dir>', 'directory of the state', places.state)
    .option('--rebuild', 'start with empty state when the database cannot be read', false)
    .option('--install', 'also install executables and network configuration, as flatpod install does: for an agent in a Pod', false)
    .option('--bin-dir <dir>', "with --install: the runtime's folder for plugins", '/opt/cni/bin')
    .option('--conf-dir <dir>', "with --install: the runtime's folder for network configurations", '/etc/cni/net.d')
    .option('--network <name>', 'with --install: name of the network', 'flatpod')
    .option('--chain <plugins>', 'with --install: plugins that follow ours, with commas between', 'none')
    .option('--cni-version <version>', 'with --install: of the configuration')
    .action(async (options: AgentArguments) => {
      await run(false, async () => (await import('./agent.ts')).runAgent(options));
    });
}

function addController(root: Command): void {
  sub(root, 'controller', 'runs the controller of a cluster', 'flatpod controller --config /etc/flatpod/controller.yaml')
    .requiredOption('--config <file>', 'ControllerConfig (YAML)')
    .action(async (options: { config: string }) => {
      await run(false, async () => (await import('./controller.ts')).runController(options));
    });
  const what = 'lists interfaces in the cloud that nobody owns, and what the controller makes of them; deletes nothing';
  sub(root, 'unowned', what, 'flatpod unowned --config /etc/flatpod/controller.yaml')
    .requiredOption('--config <file>', "the controller's ControllerConfig (YAML)")
    .option('--json', 'print one JSON object', false)
    .action(async (options: { config: string; json: boolean }) => {
      await run(options.json, async () => (await import('./unowned.ts')).showUnowned(options));
    });
}

function addVpc(root: Command): void {
  sub(
    root,
    'vpc',
    'runs an emulated VPC: its API and its network',
    'flatpod vpc --name lab --listen unix:/run/lab.sock --state /var/lib/lab',
  )
    .option('--name <name>', 'name of the VPC; its namespaces are called <name>-…', 'vpc')
    .option('--listen <where>', 'HOST:PORT or unix:/PATH', '127.0.0.1:9100')
    .option('--state <dir>', 'directory of the state', '/var/lib/flatpod-vpc')
    .option('--cidr <block...>', 'address blocks of a new VPC')
    .option('--mtu <bytes>', 'MTU of all NICs of a new VPC')
    .option('--no-fabric', 'the API alone, without namespaces and packets')
    .option('--neutron <where>', 'HOST:PORT: hears what a driver in Neutron tells, and wires it before Neutron answers')
    .option('--ec2 <where>', "HOST:PORT: EC2's API before the same VPC, and instance metadata inside its instances")
    .option('--ec2-key <id:secret>', 'the access key that it knows', 'AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY')
    .option('--ec2-region <name>', 'its region', 'eu-west-1')
    .option('--qingcloud <where>', "HOST:PORT: a strict double of QingCloud's API before the same VPC")
    .option('--qingcloud-key <id:secret>', 'the access key that the double knows', 'QYACCESSKEYIDEXAMPLE:SECRETACCESSKEY')
    .action(async (options: VpcArguments) => {
      await run(false, async () => (await import('./vpc.ts')).runVpc(options));
    });
}

function addDemo(root: Command): void {
  sub(root, 'demo', 'an emulated VPC, three nodes, a dozen Pods, real packets', 'flatpod demo --datapath macvlan --keep')
    .option(
      '--datapath <name>',
      'how Pods are connected: routed-veth, macvlan, nic; ipvlan and branch where the kernel has them',
      'routed-veth',
    )
    .option('--cloud <name>', 'by which API the agents reach the VPC: vpc (its own), aws, qingcloud', 'vpc')
    .option('--keep', 'leave it running and print what to try', false)
    .option('--clean', 'remove what a demo left, also after a crash', false)
    .option('--json', 'print one JSON object', false)
    .action(async (options: { keep: boolean; clean: boolean; json: boolean; datapath: string; cloud: string }) => {
      await run(options.json, async () => {
        const { runDemo, tryDatapath } = await import('./demo/demo.ts');
        const { tryCloud } = await import('./demo/clouds.ts');
        return runDemo({ ...options, datapath: tryDatapath(options.datapath), cloud: tryCloud(options.cloud) });
      });
    });
}

function addStatus(root: Command): void {
  withSocket(sub(root, 'status', 'shows node, NICs, pools and Pods', 'flatpod status --json')).action(async (options: SocketOptions) => {
    await run(options.json, async () => (await import('./status.ts')).showStatus(options));
  });
}

function addPod(root: Command): void {
  withSocket(sub(root, 'pod', 'shows everything behind a Pod of this node, down to the kernel', 'flatpod pod shop/web-0'))
    .argument('<pod>', 'NAMESPACE/NAME, NAME, or the beginning of a container id')
    .action(async (pod: string, options: SocketOptions) => {
      await run(options.json, async () => (await import('./pod.ts')).showPod(pod, options));
    });
}

function addIp(root: Command): void {
  withSocket(sub(root, 'ip', 'tells who has an address on this node, and who had it before', 'flatpod ip 10.20.0.17'))
    .argument('<address>', 'IPv4 or IPv6')
    .action(async (address: string, options: SocketOptions) => {
      await run(options.json, async () => (await import('./ip.ts')).showAddress(address, options));
    });
}

function addCheck(root: Command): void {
  withSocket(sub(root, 'check', 'compares the kernel with what should be there', 'flatpod check --repair'))
    .option('--repair', 'put right what differs', false)
    .action(async (options: SocketOptions & { repair: boolean }) => {
      await run(options.json, async () => (await import('./check.ts')).checkNode(options));
    });
}

function addDrain(root: Command): void {
  withSocket(
    sub(root, 'drain', 'gives all addresses and NICs back, then stops the agent; refused while Pods are attached', 'flatpod drain'),
  )
    .option('--timeout <seconds>', 'how long to wait for the cloud', '120')
    .action(async (options: SocketOptions & { timeout: string }) => {
      await run(options.json, async () => (await import('./drain.ts')).drainNode(options));
    });
}

function addConfig(root: Command): void {
  const config = root.command('config').description('looks at configuration files').exitOverride();
  sub(config, 'check', 'reports every mistake in a file: line, field, remedy', 'flatpod config check /etc/flatpod/node.yaml')
    .argument('<file>', 'YAML file with a NodeConfig and PodSubnets')
    .option('--json', 'print one JSON object', false)
    .action(async (file: string, options: { json: boolean }) => {
      await run(options.json, async () => (await import('./config-check.ts')).checkConfigFile(file, options.json));
    });
}

function addInstall(root: Command): void {
  withPlaces(
    sub(
      root,
      'install',
      'puts the CNI executables and the network configuration where a runtime finds them',
      'flatpod install --chain portmap,bandwidth',
    ),
  )
    .option('--runtime-socket <path>', 'CRI socket of the runtime: asked what it understands, and whether it noticed')
    .option('--network <name>', 'name of the network', 'flatpod')
    .option('--chain <plugins>', 'plugins that follow ours, with commas between', 'none')
    .option('--cni-version <version>', 'of the configuration; otherwise the newest that the runtime is sure to understand')
    .option('--wait <seconds>', 'how long the agent may take to be ready', '60')
    .option('--no-wait', 'write the configuration although the agent is not ready')
    .option('--config <file>', 'what the systemd service gives to the agent', '/etc/flatpod/node.yaml')
    .option('--socket <path>', "the agent's socket", places.socket)
    .option('--state <dir>', "directory of the agent's state", places.state)
    .action(async (options: InstallArguments) => {
      await run(options.json, async () => (await import('./install.ts')).runInstall(options));
    });
}

function addUninstall(root: Command): void {
  withPlaces(sub(root, 'uninstall', 'takes away what install put there; Pods that run keep their network', 'flatpod uninstall')).action(
    async (options: PlaceArguments) => {
      await run(options.json, async () => (await import('./install.ts')).runUninstall(options));
    },
  );
}

function withPlaces(command: Command): Command {
  return command
    .option('--bin-dir <dir>', "the runtime's folder for plugins", '/opt/cni/bin')
    .option('--conf-dir <dir>', "the runtime's folder for network configurations", '/etc/cni/net.d')
    .option('--systemd <dir>', 'folder for systemd units, such as /etc/systemd/system')
    .option('--json', 'print one JSON object', false);
}

function withSocket(command: Command): Command {
  return command.option('--socket <path>', "the agent's socket", places.socket).option('--json', 'print one JSON object', false);
}
