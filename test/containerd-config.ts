/** The configuration of containerd 1.6 and 2.x, as all tests here have it: little memory, no snapshotter but overlayfs, and only one CNI configuration read. */
import { programs } from './programs.ts';

/** Where what is. */
export interface ContainerdPlan {
  /** Folder of what it keeps, and of what it forgets at a restart of the machine; its own defaults when absent. */
  readonly root?: string;
  readonly state?: string;
  readonly socket: string;
  /** Folders of plugins and of network configurations. */
  readonly bin: string;
  readonly conf: string;
  /** Image of the sandbox, when Pods are started. */
  readonly pause?: string;
}

const without = ['btrfs', 'zfs', 'devmapper', 'aufs', 'erofs'].map((name) => `io.containerd.snapshotter.v1.${name}`);
const without2 = ['internal.v1.opt', 'tracing.processor.v1.otlp', 'nri.v1.nri'].map((name) => `io.containerd.${name}`);

/** config.toml of 1.6. */
export function containerd1Config(plan: ContainerdPlan): string {
  return `version = 2
${top(plan, [...without, 'io.containerd.internal.v1.opt'])}
[plugins."io.containerd.grpc.v1.cri"]
  ${plan.pause === undefined ? '' : `sandbox_image = "${plan.pause}"`}
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  disable_tcp_service = true
  disable_apparmor = true
  restrict_oom_score_adj = true
${runc('io.containerd.grpc.v1.cri')}
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${plan.bin}"
    conf_dir = "${plan.conf}"
    max_conf_num = 1
`;
}

/** config.toml of 2.x. */
export function containerd2Config(plan: ContainerdPlan): string {
  return `version = 3
${top(plan, [...without, ...without2])}
${plan.pause === undefined ? '' : `[plugins."io.containerd.cri.v1.images".pinned_images]\n  sandbox = "${plan.pause}"`}
[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
  restrict_oom_score_adj = true
${runc('io.containerd.cri.v1.runtime')}
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["${plan.bin}"]
    conf_dir = "${plan.conf}"
    max_conf_num = 1
[plugins."io.containerd.grpc.v1.cri"]
  disable_tcp_service = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
`;
}

function top({ root, state, socket }: ContainerdPlan, disabled: readonly string[]): string {
  const own = Object.entries({ root, state }).filter(([, folder]) => folder !== undefined);
  return [
    ...own.map(([key, folder]) => `${key} = "${folder}"`),
    `disabled_plugins = ${JSON.stringify(disabled)}`,
    '[grpc]',
    `  address = "${socket}"`,
  ].join('\n');
}

/** Without CAP_SYS_RESOURCE, which root lacks in many a container, no container starts unless oom_score_adj is restricted (above). */
function runc(plugin: string): string {
  return `  [plugins."${plugin}".containerd]
    default_runtime_name = "runc"
    [plugins."${plugin}".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."${plugin}".containerd.runtimes.runc.options]
        SystemdCgroup = false
        BinaryName = "${programs.runc()}"`;
}
