/** Connection tracking: dumped and forgotten, against real connections. */
import assert from 'node:assert/strict';
import { pbkdf2 } from 'node:crypto';
import { test } from 'node:test';
import { promisify } from 'node:util';
import * as fc from 'fast-check';
import { flushConntrack } from '../../src/kernel/conntrack.ts';
import { connectionOf, flushByDump } from '../../src/kernel/conntrack-dump.ts';
import { NETFILTER, typeIn } from '../../src/kernel/netlink/netfilter.ts';
import { NetlinkSocket } from '../../src/kernel/netlink/socket.ts';
import { parseIp } from '../../src/net/address.ts';
import { type TestNetns, testNetns } from './namespace.ts';

const POD = parseIp('10.0.0.5');
const POD6 = parseIp('fd00::5');

/** A namespace whose connection table holds these: protocol, source, destination, and for a DNAT the address behind it. */
function withConnections(...connections: (readonly [from: string, to: string, port: number, behind?: string])[]): TestNetns {
  const ns = testNetns('conntrack');
  try {
    for (const [from, to, port, behind] of connections) {
      const dnat = behind === undefined ? '' : `-g ${behind}`;
      ns.exec(`conntrack -I -p udp -s ${from} -d ${to} --sport ${port} --dport 53 -t 600 ${dnat}`);
    }
    return ns;
  } catch (error) {
    ns[Symbol.dispose]();
    throw error;
  }
}

/** The source ports of what is still there. */
function left(ns: TestNetns): number[] {
  const lines = ['ipv4', 'ipv6'].map((family) => ns.exec(`conntrack -L -f ${family} 2>/dev/null`)).join('');
  return [...lines.matchAll(/^.*?sport=(\d+)/gm)].map(([, port]) => Number(port)).toSorted((a, b) => a - b);
}

const both = [
  ['10.0.0.5', '8.8.8.8', 1],
  ['8.8.8.8', '10.0.0.5', 2],
  ['8.8.8.8', '10.96.0.1', 3, '10.0.0.5'],
  ['10.0.0.50', '8.8.8.8', 4],
  ['10.0.0.6', '10.0.0.7', 5],
  ['fd00::5', 'fd00::9', 6],
  ['fd00::9', 'fd00::5', 7],
] as const;

test('all connections from, to and behind a DNAT to the address are forgotten, and no others', async () => {
  using ns = withConnections(...both);
  assert.deepEqual(left(ns), [1, 2, 3, 4, 5, 6, 7]);
  await flushConntrack(ns.netns, POD);
  assert.deepEqual(left(ns), [4, 5, 6, 7]);
  await flushConntrack(ns.netns, POD6);
  assert.deepEqual(left(ns), [4, 5]);
});

test('a kernel that cannot filter forgets the same by dump and deletion, and the number is told', async () => {
  using ns = withConnections(...both);
  const socket = ns.netns.run(() => new NetlinkSocket(NETFILTER));
  try {
    assert.equal(await flushByDump(socket, POD), 3);
    assert.deepEqual(left(ns), [4, 5, 6, 7]);
    assert.equal(await flushByDump(socket, POD6), 2);
    assert.equal(await flushByDump(socket, POD6), 0);
  } finally {
    socket.close();
  }
});

test('an address nobody talked to is fine, also in an empty table', async () => {
  using ns = testNetns('conntrack');
  await flushConntrack(ns.netns, POD);
  await flushConntrack(ns.netns, POD6);
});

test('a flush that takes longer than its deadline fails with the address and the way to do it by hand', async () => {
  using ns = withConnections();
  // Every thread of the pool is busy for longer than the deadline, however fast the kernel is: as many jobs as there may be threads (UV_THREADPOOL_SIZE).
  const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4);
  const busy = Array.from({ length: 2 * threads }, () => promisify(pbkdf2)('a', 'b', 50_000, 32, 'sha512'));
  const late = { kind: 'conntrackNotFlushed', details: /not done within 1 ms/, hint: /conntrack -D -s 10\.0\.0\.5/ };
  await assert.rejects(flushConntrack(ns.netns, POD, 1), late);
  await Promise.all(busy);
});

test('decoding connections takes arbitrary bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      connectionOf({ type: typeIn(1, 0), flags: 0, sequence: 0, port: 0, payload: Buffer.from(bytes) }, POD);
    }),
  );
});
