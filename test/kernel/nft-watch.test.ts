/** Who changes nftables behind our back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import * as fc from 'fast-check';
import { parseIp } from '../../src/net/address.ts';
import { NETFILTER, typeIn } from '../../src/kernel/netlink/netfilter.ts';
import { NetlinkSocket } from '../../src/kernel/netlink/socket.ts';
import { runNft } from '../../src/kernel/nft.ts';
import { addElement } from '../../src/kernel/nft-elements.ts';
import { type NftChange, NftTransactions, watchNft } from '../../src/kernel/nft-watch.ts';
import { eventually } from '../life/lab.ts';
import { type TestNetns, testNetns } from './namespace.ts';

interface Watched extends Disposable {
  readonly ns: TestNetns;
  readonly changes: NftChange[];
}

function watched(): Watched {
  const ns = testNetns('watch');
  runNft(ns.netns, 'table inet t {\n set s { type ipv4_addr; }\n chain c {\n accept\n }\n}\ntable inet other {\n}\n', 'test');
  const changes: NftChange[] = [];
  const stop = watchNft(ns.netns, ['t'], (change) => changes.push(change));
  return {
    ns,
    changes,
    [Symbol.dispose]() {
      stop();
      ns[Symbol.dispose]();
    },
  };
}

/** Waits until so many changes were told. */
async function told(changes: NftChange[], count: number): Promise<void> {
  await eventually(`${count} changes are told`, () => changes.length >= count);
  assert.equal(changes.length, count, JSON.stringify(changes));
}

test('what another process changes in the table is told once a transaction, with its name', async () => {
  using it = watched();
  it.ns.exec('nft -f -', 'add element inet t s { 10.0.0.1 }\nadd element inet t s { 10.0.0.2 }\n');
  await told(it.changes, 1);
  it.ns.exec('nft flush ruleset');
  await told(it.changes, 2);
  for (const change of it.changes) assert.match(JSON.stringify(change), /"by":"nft \(pid \d+\)"/);
});

test('what this process changes, and what others change elsewhere, is not told', async () => {
  using it = watched();
  const socket = it.ns.netns.run(() => new NetlinkSocket(NETFILTER));
  addElement(socket, { family: 'inet', table: 't', set: 's', key: { ip: parseIp('10.0.0.7') } });
  socket.close();
  runNft(it.ns.netns, 'add element inet t s { 10.0.0.8 }\n', 'test');
  it.ns.exec('nft add chain inet other d');
  // Events come in order: when the last one is told, the earlier ones were not.
  it.ns.exec('nft add chain inet t d');
  await told(it.changes, 1);
});

test('lost events are told as an overrun, and the watch goes on', async () => {
  const transactions = new NftTransactions(['t'], 'own');
  assert.deepEqual(transactions.lost(), { kind: 'overrun' });
  using it = watched();
  // One synchronous burst of more than the 8 MiB of the socket hold; the event loop cannot drain meanwhile.
  for (let i = 0; i < 8; i++) {
    const elements = Array.from({ length: 20_000 }, (_, n) => `10.${i}.${n >> 8}.${n & 255}`);
    runNft(it.ns.netns, `flush set inet t s\nadd element inet t s { ${elements.join(', ')} }\n`, 'burst');
  }
  await told(it.changes, 1);
  it.ns.exec('nft add chain inet t d');
  await told(it.changes, 2);
  assert.deepEqual(
    it.changes.map(({ kind }) => kind),
    ['overrun', 'changed'],
  );
});

test('a stopped watch calls nobody and closes its socket', async () => {
  using ns = testNetns('watch');
  runNft(ns.netns, 'table inet t\n', 'test');
  const stop = watchNft(ns.netns, ['t'], () => assert.fail('called'));
  ns.exec('nft add chain inet t c');
  stop();
  await setTimeout(20);
});

test('events of arbitrary bytes are taken', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.uint8Array({ maxLength: 60 }))), (messages) => {
      const transactions = new NftTransactions(['t'], 'own');
      for (const [type, bytes] of messages)
        transactions.heard({ type: typeIn(10, type), flags: 0, sequence: 0, port: 0, payload: Buffer.from(bytes) });
    }),
  );
});
