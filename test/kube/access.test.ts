/** Ways to an API server: kubeconfig files and mounted ServiceAccounts. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { accessInCluster } from '../../src/kube/in-cluster.ts';
import { accessFromKubeconfig, type KubeconfigChoice } from '../../src/kube/kubeconfig.ts';

/** A folder with files in it. */
function folder(files: Record<string, string> = {}): { path(name: string): string; write(name: string, text: string): void } & Disposable {
  const root = mkdtempSync(join(tmpdir(), 'fpt-kube-'));
  const write = (name: string, text: string) => writeFileSync(join(root, name), text);
  for (const [name, text] of Object.entries(files)) write(name, text);
  return { path: (name) => join(root, name), write, [Symbol.dispose]: () => rmSync(root, { recursive: true }) };
}

const pem = (what: string) => `-----BEGIN CERTIFICATE-----\n${what}\n-----END CERTIFICATE-----\n`;
const base64 = (text: string) => Buffer.from(text).toString('base64');

/** A kubeconfig with one cluster, user and context. */
const kubeconfig = (user: object, cluster: object = {}, more: object = {}) =>
  stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: 'https://10.0.0.1:6443', ...cluster } }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
    ...more,
  });

function read(text: string, choice?: KubeconfigChoice) {
  using files = folder({ config: text });
  return accessFromKubeconfig(files.path('config'), choice);
}

test('certificates in the file: the way and the proof', () => {
  const access = read(
    kubeconfig(
      { 'client-certificate-data': base64(pem('cert')), 'client-key-data': base64(pem('key')) },
      { 'certificate-authority-data': base64(pem('ca')), 'tls-server-name': 'kubernetes', server: 'https://10.0.0.1:6443/k8s/' },
    ),
  );
  assert.deepEqual(
    [access.server, access.serverName, access.unverified, access.namespace],
    ['https://10.0.0.1:6443/k8s', 'kubernetes', false, undefined],
  );
  assert.deepEqual(access.credentials(), { authority: pem('ca'), client: { certificate: pem('cert'), key: pem('key') } });
});

test('files that it names lie beside it and are read anew each time; a token file wins over a token', () => {
  using files = folder({ token: 'one\n', ca: pem('ca'), crt: pem('cert'), key: pem('key') });
  files.write(
    'config',
    kubeconfig(
      { token: 'inline', tokenFile: 'token', 'client-certificate': 'crt', 'client-key': files.path('key') },
      { 'certificate-authority': './ca' },
    ),
  );
  const access = accessFromKubeconfig(files.path('config'));
  assert.deepEqual(access.credentials(), { token: 'one', authority: pem('ca'), client: { certificate: pem('cert'), key: pem('key') } });
  files.write('token', 'two');
  files.write('crt', pem('next'));
  assert.deepEqual([access.credentials().token, access.credentials().client?.certificate], ['two', pem('next')]);
  rmSync(files.path('token'));
  assert.throws(() => access.credentials(), {
    kind: 'credentialUnreadable',
    message: /^the token for .* from .*token$/,
    details: /ENOENT/,
  });
});

test('of several contexts the one that was asked for, else the current one', () => {
  const more = {
    clusters: [
      { name: 'c', cluster: { server: 'https://one:6443' } },
      { name: 'd', cluster: { server: 'https://two:6443' } },
    ],
    contexts: [
      { name: 'x', context: { cluster: 'c', user: 'u' } },
      { name: 'y', context: { cluster: 'd', user: '', namespace: 'team' } },
    ],
  };
  const text = kubeconfig({ token: 't' }, {}, more);
  assert.equal(read(text).server, 'https://one:6443');
  const other = read(text, { context: 'y' });
  assert.deepEqual([other.server, other.namespace, other.credentials()], ['https://two:6443', 'team', {}]);
  assert.throws(() => read(text, { context: 'z' }), { kind: 'kubeconfigInvalid', details: 'it has no context z; there is x, y' });
});

test('what a kubeconfig can be that we are not able or willing to follow is refused, never left out', () => {
  const unsupported: [object, object, RegExp][] = [
    [{ exec: { command: 'aws' } }, {}, /a program that gives credentials/],
    [{ 'auth-provider': { name: 'gcp' } }, {}, /an auth-provider/],
    [{ username: 'a', password: 'b' }, {}, /a password/],
    [{ token: 't', as: 'admin' }, {}, /impersonation/],
    [{ token: 't', 'as-groups': ['a'] }, {}, /impersonation/],
    [{ token: 't' }, { 'proxy-url': 'http://proxy' }, /a proxy/],
    [{ token: 't' }, { 'insecure-skip-tls-verify': true }, /need not prove who it is/],
    [{ token: 't' }, { server: 'http://10.0.0.1:8080' }, /a server without TLS/],
  ];
  for (const [user, cluster, message] of unsupported)
    assert.throws(() => read(kubeconfig(user, cluster)), { kind: 'kubeconfigUnsupported', message, hint: /kubectl create token/ });
  const said = read(kubeconfig({ token: 't' }, { 'insecure-skip-tls-verify': true }), { allowUnverified: true });
  assert.equal(said.unverified, true);
});

test('a kubeconfig that is wrong says where; it never shows a secret', () => {
  const invalid: [string, RegExp][] = [
    ['', /it is empty/],
    ['a: [', /Flow sequence/],
    ['just text', /expected object/],
    [kubeconfig({ token: 't' }, {}, { 'current-context': '' }), /no current-context/],
    [kubeconfig({ token: 't' }, {}, { users: null }), /it has no user u; there is none at all/],
    [kubeconfig({ token: 't' }, { server: 'localhost' }), /server localhost is no https/],
    [kubeconfig({ token: 't' }, { server: 7 }), /clusters\.0\.cluster\.server/],
    [kubeconfig({ token: 'has blanks' }), /the token of its user has blanks/],
    [kubeconfig({ 'client-certificate-data': base64(pem('x')) }), /client-certificate without the other half/],
    [kubeconfig({ token: 't' }, { 'certificate-authority-data': 'bm9uZQ==' }), /certificate-authority-data is no PEM/],
    [`${kubeconfig({ token: 't' })}\n  token: geheim: x`, /./],
  ];
  for (const [text, details] of invalid)
    assert.throws(
      () => read(text),
      (error: Error & { kind?: string; details?: string }) => {
        assert.equal(error.kind, 'kubeconfigInvalid', text);
        assert.match(error.details ?? '', details);
        assert.doesNotMatch(error.details ?? '', /geheim|has blanks\b.*has/);
        return true;
      },
    );
  assert.throws(() => accessFromKubeconfig('/nonexistent/config'), { kind: 'kubeconfigInvalid', details: /ENOENT/ });
});

test('in a Pod: the server that kubelet named, and the mounted ServiceAccount, whose token rotates', () => {
  using account = folder({ token: 'one', 'ca.crt': pem('ca'), namespace: 'kube-system' });
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
  const access = accessInCluster({ env, folder: account.path('.') });
  assert.deepEqual([access.server, access.namespace, access.unverified], ['https://[fd00::1]:443', 'kube-system', false]);
  assert.deepEqual(access.credentials(), { token: 'one', authority: pem('ca') });
  account.write('token', 'two\n');
  assert.equal(access.credentials().token, 'two');
  account.write('token', '');
  assert.throws(() => access.credentials(), { kind: 'credentialUnreadable', details: 'it is empty' });
  account.write('token', 'line\nline');
  assert.throws(() => access.credentials(), { kind: 'credentialUnreadable', details: /more than one token/ });
});

test('outside a Pod, or without a ServiceAccount, it says what is missing', () => {
  using empty = folder();
  assert.throws(() => accessInCluster({ env: {} }), { kind: 'notInCluster', details: /KUBERNETES_SERVICE_HOST/ });
  const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' };
  assert.throws(() => accessInCluster({ env, folder: empty.path('.') }), { kind: 'notInCluster', details: /there is no .*token/ });
  assert.throws(() => accessInCluster({ env: { ...env, KUBERNETES_SERVICE_HOST: 'a b' }, folder: empty.path('.') }), {
    kind: 'notInCluster',
  });
});
