/** Nodes on which a container runtime runs: machines of the test lab in a room of their own, the agent in it, and the CNI plugins where runtimes look. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type TestLab, testLab, type TestLabOptions, type TestNode } from '../life/lab.ts';
import { type PluginSet, programs } from '../programs.ts';
import { openRoom, type Room } from './room.ts';
import { hasEnded } from '../../src/cli/demo/processes.ts';

const executables = resolve(import.meta.dirname, '../../dist/cni');
const RUN_DEADLINE_ms = 180_000;

/** How a program ended. */
export interface Ended {
  /** -1 when a signal ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that goes on. */
export interface Daemon {
  readonly pid: number;
  /** What it said so far, on both ways. */
  log(): string;
  readonly running: boolean;
  /** Ends it, with SIGKILL unless told otherwise, and waits for that. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** A node with a room. */
export interface RuntimeNode {
  /** Its agent, and the machine as the lab knows it. */
  readonly node: TestNode;
  readonly room: Room;
  /** A folder of the node's own; programs that name it among their arguments are ended with the node. */
  readonly dir: string;
  /** The CNI bin folder: our executables, and the reference plugins by links. */
  readonly bin: string;
  /** The CNI configuration folder, empty at first. */
  readonly conf: string;
  /** The whole environment of programs in it: PATH, and where the executable finds the agent. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs a program of the machine in the node, to its end. */
  run(command: readonly string[], options?: { readonly stdin?: string; readonly env?: Readonly<Record<string, string>> }): Promise<Ended>;
  /** Starts one that goes on. Its log is a file of that name in `dir`, appended to. */
  daemon(name: string, command: readonly string[], env?: Readonly<Record<string, string>>): Daemon;
  /** What is there of Pods beside the room itself, its daemons and the agent. Empty when all is well. */
  leftovers(): string[];
}

/** As for any lab, and which machines with an agent have no room: `lab.node()` alone knows those. */
export interface RuntimeLabOptions extends Omit<TestLabOptions, 'mounts'> {
  readonly plain?: readonly string[];
}

/** A lab whose nodes have rooms. */
export interface RuntimeLab extends AsyncDisposable {
  readonly lab: TestLab;
  node(index: number): RuntimeNode;
}

/** Builds the lab. `plugins`: which reference plugins lie beside our executables. Disposing removes everything, whatever happened. */
export async function runtimeLab({ plain = [], ...options }: RuntimeLabOptions, plugins: PluginSet = '1.9.1'): Promise<RuntimeLab> {
  const rooms = new Map<string, { readonly room: Room; readonly dir: string }>();
  const close = async (): Promise<void> => {
    for (const { room } of rooms.values()) await room.close();
  };
  const mounts = async (machine: string, netns: string, home: string): Promise<string | undefined> => {
    if (plain.includes(machine)) return undefined;
    const dir = join(home, 'room');
    const room = await openRoom(netns, dir);
    rooms.set(machine, { room, dir });
    return room.mounts;
  };
  try {
    const lab = await testLab({ ...options, mounts });
    const nodes = lab.nodes.map((node) => {
      const own = rooms.get(node.name);
      return own === undefined ? undefined : runtimeNode(node, own.room, own.dir, plugins);
    });
    return {
      lab,
      node(index) {
        const node = nodes[index];
        if (node === undefined) throw new Error(`the lab's node ${index} has no room`);
        return node;
      },
      async [Symbol.asyncDispose]() {
        await close();
        await lab[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function runtimeNode(node: TestNode, room: Room, dir: string, plugins: PluginSet): RuntimeNode {
  const [bin, conf] = [join(dir, 'bin'), join(dir, 'net.d')];
  mkdirSync(conf);
  mkdirSync(bin);
  for (const from of [executables, programs.plugins(plugins)]) {
    const files = readdirSync(from, { withFileTypes: true }).filter((entry) => entry.isFile() && entry.name !== 'cnitool');
    for (const { name } of files) symlinkSync(join(from, name), join(bin, name));
  }
  const env = {
    PATH: [dirname(programs.runc()), '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'].join(':'),
    FLATPOD_SOCKET: node.socket,
    FLATPOD_STATE: join(node.dir, 'state'),
  };
  const enter = [`--net=${node.netns}`, `--mount=${room.mounts}`];
  const daemons: Daemon[] = [];
  return {
    node,
    room,
    dir,
    bin,
    conf,
    env,
    run: (command, { stdin = '', env: more = {} } = {}) => runToEnd([...enter, ...command], { ...env, ...more }, stdin),
    daemon(name, command, more = {}) {
      const daemon = startDaemon([...enter, ...command], { ...env, ...more }, join(dir, `${name}.log`));
      daemons.push(daemon);
      return daemon;
    },
    leftovers: () => room.leftovers(daemons.map(({ pid }) => pid)),
  };
}

async function runToEnd(args: readonly string[], env: Readonly<Record<string, string>>, stdin: string): Promise<Ended> {
  const child = spawn('nsenter', args, { env, timeout: RUN_DEADLINE_ms, killSignal: 'SIGKILL' });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (part: Buffer) => out.push(part));
  child.stderr.on('data', (part: Buffer) => err.push(part));
  // It need not read what it is given.
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  await once(child, 'close');
  return { status: child.exitCode ?? -1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
}

function startDaemon(args: readonly string[], env: Readonly<Record<string, string>>, file: string): Daemon {
  const log = openSync(file, 'a');
  const child = spawn('nsenter', args, { env, stdio: ['ignore', log, log] });
  closeSync(log);
  // Its end is looked at through exitCode.
  child.on('error', () => undefined);
  const running = (): boolean => isRunning(child);
  return {
    pid: child.pid ?? 0,
    log: () => readFileSync(file, 'utf8'),
    get running() {
      return running();
    },
    async kill(signal = 'SIGKILL') {
      if (!running()) return;
      child.kill(signal);
      await once(child, 'exit');
    },
  };
}

function isRunning(child: ChildProcess): boolean {
  return !hasEnded(child);
}
