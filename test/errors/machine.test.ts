/** Each refusal of the machine leads to the error made for it: links, libraries, namespaces, programs, files. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { start } from '../../src/cli/demo/processes.ts';
import { openKernel } from '../../src/kernel/kernel.ts';
import { inNetns, type VethObject } from '../../src/kernel/state.ts';
import { parseMac } from '../../src/net/mac.ts';
import { readConfigText } from '../../src/store/config-file.ts';
import { ensureNetns } from '../../src/vpc/fabric/netns.ts';
import { testNetns } from '../kernel/namespace.ts';

const scratch = (): { readonly path: string } & Disposable => {
  const path = mkdtempSync(join(tmpdir(), 'flatpod-errors-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
};

test('a link of that name, on either side: FP147 linkTaken names it and where it is', () => {
  using near = testNetns('near');
  using far = testNetns('far');
  using kernel = openKernel();
  const [mac, peerMac] = [parseMac('02:00:00:00:00:01'), parseMac('02:00:00:00:00:02')];
  const veth = (name: string, peer: string): VethObject => ({
    kind: 'veth',
    where: inNetns(near.path),
    name,
    ipv6: true,
    mac,
    mtu: 1500,
    owner: 'flatpod:test',
    peer: { where: inNetns(far.path), name: peer, mac: peerMac },
  });
  kernel.apply([veth('fp0', 'eth0')]);
  assert.throws(() => kernel.apply([veth('fp0', 'eth1')]), { kind: 'linkTaken', message: `there is a link fp0 in ${near.path} already` });
  assert.throws(() => kernel.apply([veth('fp1', 'eth0')]), { kind: 'linkTaken', message: `there is a link eth0 in ${far.path} already` });
});

test('a machine without libnftables: FP145 nftMissing says what to install', () => {
  const library =
    execFileSync('ldconfig', ['-p'], { encoding: 'utf8' }).match(/libnftables\.so\.1 .*=> (\S+)/)?.[1] ?? assert.fail('no library');
  const nft = resolve(import.meta.dirname, '../../src/kernel/nft.ts');
  const program = `import { listNft } from ${JSON.stringify(nft)}; try { listNft(undefined, 'tables') } catch (e) { console.log(e.kind, e.hint) }`;
  // Its file is hidden in a mount namespace that ends with the command.
  const command = 'mount --bind /dev/null "$1" && exec "$2" --disable-warning=ExperimentalWarning --input-type=module-typescript -e "$3"';
  const said = execFileSync('unshare', ['-m', 'sh', '-c', command, 'sh', library, process.execPath, program], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.match(said, /^nftMissing install it on the node: package libnftables1/);
});

test('a namespace of the name that a VPC wants, with somebody’s links in it: FP182 vpcFabric, and it is not touched', () => {
  using ns = testNetns('taken');
  ns.ip('link add theirs type bridge');
  assert.throws(() => ensureNetns('fpt', ns.name), { kind: 'vpcFabric', details: /exists and is not of this VPC/ });
  assert.equal(ns.ipJson('link show').length, 2);
});

test('a program that ends at once: FP189 labProgram shows the end of its log', async () => {
  using dir = scratch();
  const program = { name: 'x', args: ['config', 'check', '/nowhere.yaml'], ready: join(dir.path, 'ready') };
  await assert.rejects(start(dir.path, program), { kind: 'labProgram', details: /\(FP191\)/ });
});

test('a configuration that is a folder: FP192 configFileUnreadable; one of more than 1 MiB: FP193 configFileTooLarge', () => {
  using dir = scratch();
  assert.throws(() => readConfigText(dir.path), { kind: 'configFileUnreadable' });
  const large = join(dir.path, 'large.yaml');
  writeFileSync(large, ' '.repeat(2 ** 20 + 1));
  assert.throws(() => readConfigText(large), { kind: 'configFileTooLarge', details: /1048577 bytes/ });
});
