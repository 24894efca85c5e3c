/** etcd, API server, controller manager and scheduler on a machine of their own, each started, killed and started again by its name. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { programs } from '../programs.ts';
import type { Machine } from './machine.ts';
import type { Pki } from './pki.ts';
import type { Daemon } from './programs-in.ts';

/** The parts that run there. */
export type Part = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler';

/** What they are told. */
export interface ControlPlanePlan {
  readonly machine: Machine;
  readonly address: string;
  readonly pki: Pki;
  readonly serviceCidr: string;
  readonly podCidr: string;
  /** Whether the API server writes down who asked for what; see {@link auditLog}. */
  readonly audit?: boolean;
}

const API_PORT = 6443;
const ETCD = 'http://127.0.0.1:2379';

/** Starts one of them; it need not be ready when this returns. */
export function startPart(plan: ControlPlanePlan, part: Part): Promise<Daemon> {
  return plan.machine.start(part, [part === 'etcd' ? programs.etcd() : programs.kube(part), ...argumentsOf(plan, part)]);
}

function argumentsOf(plan: ControlPlanePlan, part: Part): string[] {
  switch (part) {
    case 'etcd':
      return etcd(plan);
    case 'kube-apiserver':
      return apiServer(plan);
    case 'kube-controller-manager':
      return controllers(plan);
    case 'kube-scheduler':
      return scheduler(plan);
  }
}

/** It need not survive the machine's end, so it does not wait for the disk. */
function etcd({ machine }: ControlPlanePlan): string[] {
  const peer = 'http://127.0.0.1:2380';
  return [
    `--data-dir=${join(machine.dir, 'etcd')}`,
    `--listen-client-urls=${ETCD}`,
    `--advertise-client-urls=${ETCD}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--log-level=warn',
    '--unsafe-no-fsync',
  ];
}

/** The file with an Event (audit.k8s.io/v1) in JSON a line: each request to the API server that was answered, without its body. */
export function auditLog(machine: Machine): string {
  return join(machine.dir, 'log', 'audit');
}

function auditFlags({ machine }: ControlPlanePlan): string[] {
  const policy = join(machine.dir, 'audit.json');
  const rules = [{ level: 'Metadata' }];
  writeFileSync(policy, JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'], rules }));
  return [`--audit-policy-file=${policy}`, `--audit-log-path=${auditLog(machine)}`];
}

function apiServer(plan: ControlPlanePlan): string[] {
  const { address, pki, serviceCidr } = plan;
  return [
    ...(plan.audit === true ? auditFlags(plan) : []),
    `--etcd-servers=${ETCD}`,
    `--bind-address=${address}`,
    `--advertise-address=${address}`,
    `--secure-port=${API_PORT}`,
    `--service-cluster-ip-range=${serviceCidr}`,
    '--allow-privileged=true',
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    `--tls-cert-file=${pki.file('apiserver.crt')}`,
    `--tls-private-key-file=${pki.file('apiserver.key')}`,
    `--client-ca-file=${pki.file('ca.crt')}`,
    `--service-account-key-file=${pki.file('sa.pub')}`,
    `--service-account-signing-key-file=${pki.file('sa.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--kubelet-client-certificate=${pki.file('kubelet-client.crt')}`,
    `--kubelet-client-key=${pki.file('kubelet-client.key')}`,
    `--kubelet-certificate-authority=${pki.file('ca.crt')}`,
    '--kubelet-preferred-address-types=InternalIP',
    // Extension API servers, which the conformance tests run one of, trust the API server by these.
    `--requestheader-client-ca-file=${pki.file('front-proxy-ca.crt')}`,
    '--requestheader-allowed-names=front-proxy',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    `--proxy-client-cert-file=${pki.file('front-proxy.crt')}`,
    `--proxy-client-key-file=${pki.file('front-proxy.key')}`,
    // No kube-proxy runs here, so Services are reached by their endpoints.
    '--enable-aggregator-routing=true',
    '--v=1',
  ];
}

/** As many requests a second as they like: with the default limits it takes seconds until all controllers run. */
const unthrottled = ['--kube-api-qps=500', '--kube-api-burst=1000', '--leader-elect=false', '--bind-address=127.0.0.1', '--v=1'];

function controllers({ pki, serviceCidr, podCidr }: ControlPlanePlan): string[] {
  return [
    `--kubeconfig=${pki.kubeconfig('kube-controller-manager')}`,
    '--use-service-account-credentials',
    `--service-account-private-key-file=${pki.file('sa.key')}`,
    `--root-ca-file=${pki.file('ca.crt')}`,
    `--cluster-signing-cert-file=${pki.file('ca.crt')}`,
    `--cluster-signing-key-file=${pki.file('ca.key')}`,
    '--allocate-node-cidrs=false',
    `--cluster-cidr=${podCidr}`,
    `--service-cluster-ip-range=${serviceCidr}`,
    '--node-monitor-period=2s',
    '--node-monitor-grace-period=14s',
    ...unthrottled,
  ];
}

function scheduler({ pki }: ControlPlanePlan): string[] {
  return [`--kubeconfig=${pki.kubeconfig('kube-scheduler')}`, ...unthrottled];
}
