/**
 * Stands for the AWS plugin on a node of the test cluster: executed by containerd, it makes Pods as that plugin does, with addresses from the list in its
 * configuration, and keeps that plugin's record of them. A DEL fails: once it is left, nobody is to ask it any more.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { hostEndOf, hostLines, neighbourLine, podLines } from '../takeover/aws-kernel.ts';

/** Its daemon's record of Pods. */
const RECORD = '/var/run/aws-node/ipam.json';
/** Process 1, whose network namespace is the node's. */
const NODE = '1';
const versions = ['0.3.0', '0.3.1', '0.4.0'];

interface Allocation {
  readonly containerID: string;
  readonly ifName: string;
  readonly networkName: string;
  readonly ipv4: string;
  readonly allocationTimestamp: number;
  readonly metadata: object;
}

function allocations(): Allocation[] {
  if (!existsSync(RECORD)) return [];
  return (JSON.parse(readFileSync(RECORD, 'utf8')) as { allocations: Allocation[] }).allocations; // it wrote that itself
}

function add(config: { readonly addresses: readonly string[] }): object {
  const { CNI_CONTAINERID: containerID = '', CNI_NETNS: sandbox = '', CNI_IFNAME: ifName = '', CNI_ARGS = '' } = process.env;
  const args = new Map(CNI_ARGS.split(';').map((one): [string, string] => [one.split('=')[0] ?? '', one.split('=')[1] ?? '']));
  const metadata = { k8sPodNamespace: args.get('K8S_POD_NAMESPACE') ?? '', k8sPodName: args.get('K8S_POD_NAME') ?? '' };
  const known = allocations();
  const address = config.addresses.find((one) => !known.some(({ ipv4 }) => ipv4 === one));
  if (address === undefined) throw new Error('no address is left');
  const hostEnd = hostEndOf(metadata.k8sPodNamespace, metadata.k8sPodName);
  const sh = (line: string): string => execFileSync('sh', ['-ec', line], { encoding: 'utf8' });
  const inPod = (lines: string): string =>
    execFileSync('ip', ['netns', 'exec', basename(sandbox), 'sh', '-ec', lines], { encoding: 'utf8' });
  inPod(podLines(address, hostEnd, NODE));
  sh(hostLines(address, hostEnd));
  inPod(neighbourLine(sh(`ip link show ${hostEnd}`)));
  const own = { networkName: 'aws-cni', containerID, ifName, ipv4: address, allocationTimestamp: Date.now() * 1_000_000, metadata };
  mkdirSync(dirname(RECORD), { recursive: true });
  writeFileSync(RECORD, JSON.stringify({ version: 'vpc-cni-ipam/1', allocations: [...known, own] }));
  const interfaces = [{ name: hostEnd }, { name: ifName, sandbox }];
  return { cniVersion: '0.4.0', interfaces, ips: [{ version: '4', interface: 1, address: `${address}/32` }] };
}

/** Of the specification's; the runtime asks for nothing else of a version as old as that. */
function answer(verb: string | undefined): object {
  const input = readFileSync(0, 'utf8');
  if (verb === 'VERSION') return { cniVersion: '0.4.0', supportedVersions: versions };
  if (verb === 'ADD') return add(JSON.parse(input) as { addresses: string[] }); // as former-plugin.ts writes it
  throw new Error(`${verb}: this plugin is not in use any more`);
}

try {
  process.stdout.write(JSON.stringify(answer(process.env['CNI_COMMAND'])));
} catch (error) {
  process.stdout.write(JSON.stringify({ cniVersion: '0.4.0', code: 999, msg: String(error) }));
  process.exitCode = 1;
}
