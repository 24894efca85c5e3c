/** A VPC with packets for a test: machines in two subnets, what runs inside of them, and what was dropped. Needs root and network namespaces. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { eventually } from '../life/lab.ts';
import { testVpc, type TestVpc, withSubnet } from './support.ts';

export interface Machine {
  readonly name: string;
  readonly id: string;
  readonly addresses: string[];
  readonly publicAddress?: string;
  readonly netns: string;
  readonly nic: { id: string; mac: string };
}

export interface Site extends AsyncDisposable {
  readonly vpc: TestVpc;
  readonly a: string;
  readonly b: string;
  launch(name: string, subnet: string, more?: object): Promise<Machine>;
}

let lastVpc = 0;

/** A VPC with the subnets a (10.20.0.0/24) and b (10.20.1.0/24), both dual stack. */
export async function site(): Promise<Site> {
  const vpc = await testVpc({ fabric: true, name: `fpv${process.pid % 1000}-${++lastVpc}` });
  const [a, b] = [await withSubnet(vpc), await withSubnet(vpc, '10.20.1.0/24', 'b')];
  return {
    vpc,
    a,
    b,
    async launch(name, subnet, more = {}) {
      const made = await vpc.call('POST', '/v1/instances', { name, type: 'v1.medium', subnet, ...more });
      assert.equal(made.status, 201, JSON.stringify(made.body));
      const [nic] = (await vpc.call('GET', `/v1/nics?instance=${made.body.id}`)).body.items;
      return { ...made.body, nic };
    },
    [Symbol.asyncDispose]: () => vpc[Symbol.asyncDispose](),
  };
}

/** Runs a shell line inside; resolves with exit status and output. */
export function inside(machine: { netns: string }, line: string): Promise<{ status: number; out: string }> {
  return new Promise((resolve) => {
    const child = execFile('nsenter', [`--net=${machine.netns}`, 'sh', '-c', line], { timeout: 60_000 }, (_error, stdout, stderr) =>
      resolve({ status: child.exitCode ?? 1, out: stdout + stderr }),
    );
  });
}

export const reaches = async (from: { netns: string }, to: string, more = ''): Promise<boolean> =>
  (await inside(from, `ping -n -c1 -W10 ${more} ${to}`)).status === 0;
/** The line that asks so often, `every_s` apart, and waits for all answers: without -w ping gives the last one no longer than that. Its output is for {@link unanswered}. */
export const pingEach = (to: string, every_s: number, count: number): string => `ping -n -i${every_s} -c${count} -w30 ${to}`;
/** Which of the first so many packets came back with no answer, by their numbers. */
export const unanswered = (out: string, count: number): number[] => {
  const answered = new Set([...out.matchAll(/icmp_seq=(\d+) .*time=/g)].map(([, number]) => Number(number)));
  return Array.from({ length: count }, (_, i) => i + 1).filter((number) => !answered.has(number));
};
/** Where it was silent a moment ago: the asker may be about to give up on its neighbour, and its first packet with it. */
export const reachesSoon = (from: { netns: string }, to: string): Promise<boolean> =>
  eventually(`${to} is reached`, async () => (await inside(from, `ping -n -c1 -W1 ${to}`)).status === 0, 30).catch(() => false);
/** Waits less than reaches(): everything is on this machine, and an answer that comes too late would only hide a failure of another test. */
export const silent = async (from: { netns: string }, to: string, more = ''): Promise<boolean> =>
  (await inside(from, `ping -n -c1 -W0.4 ${more} ${to}`)).status !== 0;

export interface Drop {
  reason: string;
  nic?: string;
  address?: string;
  packets: number;
  text: string;
}
export const drops = async ({ vpc }: Site, reason: string): Promise<Drop[]> =>
  (await vpc.call('GET', '/v1/drops')).body.items.filter((drop: Drop) => drop.reason === reason);

export async function open({ vpc }: Site, rules: object[]): Promise<void> {
  const [group] = (await vpc.call('GET', '/v1/security-groups?name=default')).body.items;
  assert.equal((await vpc.call('PUT', `/v1/security-groups/${group.id}/rules`, { rules })).status, 200);
}
export const all = { protocol: 'any', cidr: '0.0.0.0/0' };
