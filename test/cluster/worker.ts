/** What makes a machine a Kubernetes node: containerd, kubelet and kube-proxy. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runtimeVersion } from '../../src/cri/runtime.ts';
import { eventually } from '../life/lab.ts';
import { programs } from '../programs.ts';
import { containerdConfig, fillDisk, SOCKET } from './containerd.ts';
import type { Machine } from './machine.ts';
import type { Client, Pki } from './pki.ts';
import type { Daemon } from './programs-in.ts';
import type { Host } from './underlay.ts';

/** The daemons of a node. */
export type NodeDaemon = 'containerd' | 'kubelet' | 'kube-proxy';

/** What kube-proxy makes Services of. */
export type ProxyMode = 'nftables' | 'iptables';

/** What a node is told. */
export interface WorkerPlan {
  readonly machine: Machine;
  readonly host: Host;
  readonly pki: Pki;
  readonly clusterDns: string;
  readonly podCidr: string;
  readonly proxy: ProxyMode;
  /** A CNI configuration list to begin with; without one the node is not ready until somebody installs a plugin. */
  readonly cniConfig?: string;
}

/** What a distribution's package brings, as far as it is used. */
const plugins = ['loopback', 'host-local', 'portmap', 'bandwidth', 'ptp', 'bridge', 'firewall', 'tuning'];

/** Puts configuration, plugins and images on its disk, which is mounted when the machine is on. */
export async function prepareDisk(plan: WorkerPlan): Promise<void> {
  const { machine, cniConfig } = plan;
  await fillDisk(join(machine.dir, 'disk/whole/var/lib/containerd'));
  for (const name of plugins) copyFileSync(join(programs.plugins('1.9.1'), name), machine.path(`/opt/cni/bin/${name}`));
  if (cniConfig !== undefined) writeFileSync(machine.path('/etc/cni/net.d/10-test.conflist'), cniConfig);
  mkdirSync(machine.path('/etc/test-node'), { recursive: true });
  writeFileSync(machine.path('/etc/test-node/containerd.toml'), containerdConfig('/var/lib/containerd', '/run/containerd'));
  writeFileSync(machine.path('/etc/test-node/kubelet.yaml'), kubeletConfig(plan));
  writeFileSync(machine.path('/etc/test-node/kube-proxy.yaml'), proxyConfig(plan));
}

/** Starts one of them. containerd answers when this returns; the others need not. */
export async function startDaemon(plan: WorkerPlan, name: NodeDaemon): Promise<Daemon> {
  const { machine, host, pki } = plan;
  const config = '/etc/test-node';
  switch (name) {
    case 'containerd': {
      const { daemon, shims } = programs.containerd2();
      const started = await machine.start(name, [daemon, '-c', `${config}/containerd.toml`], shims);
      await eventually('containerd answers', () => runtimeVersion(machine.path(SOCKET)), 60);
      return started;
    }
    case 'kubelet': {
      const client = host.name as Client; // the cluster's nodes are called so
      const flags = [`--kubeconfig=${pki.kubeconfig(client)}`, `--hostname-override=${host.name}`, `--node-ip=${host.address}`];
      return machine.start(name, [programs.kube('kubelet'), `--config=${config}/kubelet.yaml`, ...flags, '--v=2']);
    }
    case 'kube-proxy':
      return machine.start(name, [programs.kube('kube-proxy'), `--config=${config}/kube-proxy.yaml`, '--v=2']);
  }
}

/** Two kubelets on one kernel have a parent cgroup each; rights and limits that root lacks in many a container are not asked for. */
function kubeletConfig({ machine, host, pki, clusterDns }: WorkerPlan): string {
  return `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://${SOCKET}
${host.providerId === undefined ? '' : `providerID: '${host.providerId}'`}
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: ${machine.cgroup}
cgroupsPerQOS: true
enforceNodeAllocatable: [pods]
failSwapOn: false
oomScoreAdj: 0
maxOpenFiles: 20000
maxPods: 250
makeIPTablesUtilChains: false
registerNode: true
serializeImagePulls: false
staticPodPath: /etc/kubernetes/manifests
kubeAPIQPS: 500
kubeAPIBurst: 1000
resolvConf: /etc/resolv.conf
clusterDNS: ['${clusterDns}']
clusterDomain: cluster.local
tlsCertFile: ${pki.file(`${host.name}.crt`)}
tlsPrivateKeyFile: ${pki.file(`${host.name}.key`)}
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: ${pki.file('ca.crt')}}
authorization: {mode: Webhook}
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
nodeStatusUpdateFrequency: 4s
nodeLeaseDurationSeconds: 10
volumeStatsAggPeriod: 0s
shutdownGracePeriod: 0s
`;
}

/** It may not size the connection table: only the machine's first network namespace can. */
function proxyConfig({ host, pki, podCidr, proxy }: WorkerPlan): string {
  return `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: ${proxy}
clientConnection: {kubeconfig: ${pki.kubeconfig('kube-proxy')}}
hostnameOverride: ${host.name}
clusterCIDR: ${podCidr}
healthzBindAddress: 0.0.0.0:10256
metricsBindAddress: 127.0.0.1:10249
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`;
}
