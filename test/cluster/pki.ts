/** The cluster's certificates, by openssl: one authority, a key pair and a kubeconfig for everybody who talks to the API server. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Whom a certificate is for. */
interface Holder {
  readonly name: string;
  /** As openssl wants it: `/O=group/CN=user`. */
  readonly subject: string;
  readonly uses: 'clientAuth' | 'serverAuth' | 'clientAuth,serverAuth';
  /** As openssl wants it: `DNS:name,IP:address`. */
  readonly names?: string;
  readonly authority?: 'ca' | 'front-proxy-ca';
}

/** What the certificates are made for. */
export interface PkiPlan {
  readonly dir: string;
  /** Of the API server. */
  readonly api: string;
  /** Of the Service `kubernetes`. */
  readonly service: string;
  readonly nodes: readonly { readonly name: string; readonly address: string }[];
}

/** Whose kubeconfig it is. */
export type Client = 'admin' | 'kube-controller-manager' | 'kube-scheduler' | 'kube-proxy' | `n${number}`;

/** Where everything lies. */
export interface Pki {
  /** `NAME.crt`, `NAME.key`. */
  file(name: string): string;
  kubeconfig(client: Client): string;
}

/** Makes all of it: half a second. */
export function makePki({ dir, api, service, nodes }: PkiPlan): Pki {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const pki: Pki = { file: (name) => join(dir, name), kubeconfig: (client) => join(dir, `${client}.kubeconfig`) };
  for (const name of ['ca', 'front-proxy-ca']) authority(pki, name);
  const inside = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local', 'localhost'];
  const names = [...inside.map((name) => `DNS:${name}`), ...[api, service, '127.0.0.1'].map((address) => `IP:${address}`)].join(',');
  certify(pki, { name: 'apiserver', subject: '/CN=kube-apiserver', uses: 'serverAuth', names });
  certify(pki, { name: 'kubelet-client', subject: '/O=system:masters/CN=kube-apiserver-kubelet-client', uses: 'clientAuth' });
  certify(pki, { name: 'front-proxy', subject: '/CN=front-proxy', uses: 'clientAuth', authority: 'front-proxy-ca' });
  const clients: (Holder & { readonly name: Client })[] = [
    { name: 'admin', subject: '/O=system:masters/CN=admin', uses: 'clientAuth' },
    ...(['kube-controller-manager', 'kube-scheduler', 'kube-proxy'] as const).map(
      (name) => ({ name, subject: `/CN=system:${name}`, uses: 'clientAuth' }) as const,
    ),
    ...nodes.map(({ name, address }) => ({
      name: name as `n${number}`, // the cluster's nodes are called so
      subject: `/O=system:nodes/CN=system:node:${name}`,
      uses: 'clientAuth,serverAuth' as const,
      names: `DNS:${name},IP:${address}`,
    })),
  ];
  for (const client of clients) {
    certify(pki, client);
    writeFileSync(pki.kubeconfig(client.name), kubeconfigOf(pki, client.name, api), { mode: 0o600 });
  }
  makeKey(pki, 'sa');
  openssl('ec', '-in', pki.file('sa.key'), '-pubout', '-out', pki.file('sa.pub'));
  return pki;
}

function authority(pki: Pki, name: string): void {
  makeKey(pki, name);
  const may = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign,digitalSignature'];
  const is = ['-x509', '-new', '-key', pki.file(`${name}.key`), '-subj', `/CN=${name}`, '-days', '3650', '-out', pki.file(`${name}.crt`)];
  openssl('req', ...is, ...may.flatMap((extension) => ['-addext', extension]));
}

function certify(pki: Pki, { name, subject, uses, names, authority: by = 'ca' }: Holder): void {
  makeKey(pki, name);
  const [request, extensions] = [pki.file(`${name}.csr`), pki.file(`${name}.ext`)];
  writeFileSync(extensions, `extendedKeyUsage=${uses}\n${names === undefined ? '' : `subjectAltName=${names}\n`}`);
  openssl('req', '-new', '-key', pki.file(`${name}.key`), '-subj', subject, '-out', request);
  const signer = ['-CA', pki.file(`${by}.crt`), '-CAkey', pki.file(`${by}.key`), '-CAcreateserial'];
  openssl('x509', '-req', '-in', request, ...signer, '-days', '3650', '-out', pki.file(`${name}.crt`), '-extfile', extensions);
  for (const file of [request, extensions]) rmSync(file);
}

function makeKey(pki: Pki, name: string): void {
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', pki.file(`${name}.key`));
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function kubeconfigOf(pki: Pki, name: string, api: string): string {
  const inline = (file: string): string => readFileSync(pki.file(file)).toString('base64');
  return `apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: 'https://${api}:6443', certificate-authority-data: ${inline('ca.crt')}}}]
users: [{name: ${name}, user: {client-certificate-data: ${inline(`${name}.crt`)}, client-key-data: ${inline(`${name}.key`)}}}]
contexts: [{name: test, context: {cluster: test, user: ${name}}}]
current-context: test
`;
}
