/** A containerd that reads a folder of configurations, and starts no Pod: the installer's other side. */
import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runtimeVersion } from '../../src/cri/runtime.ts';
import { eventually } from '../life/lab.ts';
import type { Containerd } from '../programs.ts';

export interface Running extends AsyncDisposable {
  readonly socket: string;
  log(): string;
}

/** Starts it, in namespaces of its own for network and mounts, on these two folders. `env` reaches the plugins. */
export async function startContainerd(
  program: Containerd,
  bin: string,
  net: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const dir = mkdtempSync(join(tmpdir(), 'fpt-containerd-'));
  const [socket, config, logFile] = [join(dir, 'c.sock'), join(dir, 'config.toml'), join(dir, 'log')];
  writeFileSync(config, program.version === '2' ? config2(dir, bin, net) : config1(dir, bin, net));
  const out = openSync(logFile, 'a');
  const child = spawn('unshare', ['--net', '--mount', '--propagation', 'private', program.daemon, '--config', config], {
    stdio: ['ignore', out, out],
    env: { ...process.env, ...env },
  });
  closeSync(out);
  const gone = new Promise<void>((done) => child.once('close', () => done()));
  const running: Running = {
    socket,
    log: () => readFileSync(logFile, 'utf8'),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await gone;
      rmSync(dir, { recursive: true, force: true });
    },
  };
  try {
    await eventually('containerd answers', () => runtimeVersion(socket), 30);
    return running;
  } catch (error) {
    await running[Symbol.asyncDispose]();
    throw error;
  }
}

const without = ['btrfs', 'zfs', 'devmapper', 'aufs', 'erofs'].map((name) => `"io.containerd.snapshotter.v1.${name}"`).join(', ');

function config1(dir: string, bin: string, net: string): string {
  return `version = 2
root = "${dir}/root"
state = "${dir}/state"
disabled_plugins = [${without}, "io.containerd.internal.v1.opt"]
[grpc]
  address = "${dir}/c.sock"
[plugins."io.containerd.grpc.v1.cri"]
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${bin}"
    conf_dir = "${net}"
    max_conf_num = 1
`;
}

function config2(dir: string, bin: string, net: string): string {
  return `version = 3
root = "${dir}/root"
state = "${dir}/state"
disabled_plugins = [${without}, "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp", "io.containerd.nri.v1.nri"]
[grpc]
  address = "${dir}/c.sock"
[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["${bin}"]
    conf_dir = "${net}"
    max_conf_num = 1
[plugins."io.containerd.grpc.v1.cri"]
  disable_tcp_service = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
`;
}
