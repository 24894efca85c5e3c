/** Elements of nftables sets and maps, against the kernel and `nft -j`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ipFromBigInt, parseIp } from '../../src/net/address.ts';
import { NETFILTER, typeIn } from '../../src/kernel/netlink/netfilter.ts';
import { NetlinkError, NetlinkSocket } from '../../src/kernel/netlink/socket.ts';
import { listNft, runNft } from '../../src/kernel/nft.ts';
import { addElement, changeElements, deleteElement, type SetElement } from '../../src/kernel/nft-elements.ts';
import { decodeComment, decodeElements, readSet, readTableComment } from '../../src/kernel/nft-read.ts';
import { bytesOfValue } from '../../src/kernel/nft-values.ts';
import { type TestNetns, testNetns } from './namespace.ts';

const TABLE = `table inet t {
  comment "version 7"
  set pods4 { type ipv4_addr; }
  set pods6 { type ipv6_addr; }
  set links { type ifname; }
  map marks { type ipv4_addr : mark; }
  map snat6 { type ifname : ipv6_addr; }
  set ranges { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 }; }
  set ports { type inet_service; elements = { 80 }; }
}
`;

interface Prepared extends Disposable {
  readonly ns: TestNetns;
  readonly socket: NetlinkSocket;
}

function prepared(): Prepared {
  const ns = testNetns('elements');
  try {
    runNft(ns.netns, TABLE, 'test');
    const socket = ns.netns.run(() => new NetlinkSocket(NETFILTER));
    return {
      ns,
      socket,
      [Symbol.dispose]() {
        socket.close();
        ns[Symbol.dispose]();
      },
    };
  } catch (error) {
    ns[Symbol.dispose]();
    throw error;
  }
}

const at = (set: string): { family: 'inet'; table: string; set: string } => ({ family: 'inet', table: 't', set });
const samples: SetElement[] = [
  { ...at('pods4'), key: { ip: parseIp('10.0.0.5') } },
  { ...at('pods6'), key: { ip: parseIp('fd00::5') } },
  { ...at('links'), key: { ifname: 'fp0123456789abc' } },
  { ...at('marks'), key: { ip: parseIp('10.0.0.5') }, data: { mark: 0x40_0001 } },
  { ...at('snat6'), key: { ifname: 'eth0' }, data: { ip: parseIp('fd00::1') } },
];

/** The elements as nft(8) prints them. */
function listed(ns: TestNetns, element: SetElement): unknown {
  const kind = element.data === undefined ? 'set' : 'map';
  const answer = JSON.parse(ns.exec(`nft -j list ${kind} inet t ${element.set}`)) as { nftables: Record<string, { elem?: unknown }>[] };
  return answer.nftables[1]?.[kind]?.elem;
}

function printed(element: SetElement): unknown {
  const text = (value: object): unknown => Object.values(value)[0];
  return element.data === undefined ? text(element.key) : [text(element.key), text(element.data)];
}

test('each kind of element is seen by nft(8) as it was added, read back the same, and gone after its deletion', () => {
  using it = prepared();
  for (const element of samples) {
    addElement(it.socket, element);
    assert.deepEqual(listed(it.ns, element), [printed(element)]);
    assert.deepEqual(readSet(it.socket, element), [element]);
    deleteElement(it.socket, element);
    assert.deepEqual(readSet(it.socket, element), []);
  }
});

test('elements added by nft(8) are read', () => {
  using it = prepared();
  it.ns.exec('nft -f -', 'add element inet t marks { 10.1.2.3 : 7, 10.1.2.4 : 0xffffffff }\nadd element inet t links { "lo" }\n');
  const marks = readSet(it.socket, at('marks'))?.map(({ key, data }) => ({ key, data }));
  assert.deepEqual(
    marks?.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))),
    [
      { key: { ip: '10.1.2.3' }, data: { mark: 7 } },
      { key: { ip: '10.1.2.4' }, data: { mark: 0xffff_ffff } },
    ],
  );
  assert.deepEqual(readSet(it.socket, at('links')), [{ ...at('links'), key: { ifname: 'lo' } }]);
});

test('twice added and twice deleted is refused with EEXIST and ENOENT, and fine when tolerated', () => {
  using it = prepared();
  const [element] = samples;
  assert.ok(element);
  addElement(it.socket, element);
  assert.throws(() => addElement(it.socket, element), refusedWith('EEXIST'));
  addElement(it.socket, element, true);
  deleteElement(it.socket, element);
  assert.throws(() => deleteElement(it.socket, element), refusedWith('ENOENT'));
  deleteElement(it.socket, element, true);
});

test('a map element with other data is refused even when tolerant, and replaced by deletion and addition in one transaction', () => {
  using it = prepared();
  const old = { ...at('marks'), key: { ip: parseIp('10.0.0.5') }, data: { mark: 1 } };
  const next = { ...old, data: { mark: 2 } };
  addElement(it.socket, old);
  assert.throws(() => addElement(it.socket, next, true), refusedWith('EBUSY', 'EEXIST'));
  const changes = [
    { action: 'delete', element: old },
    { action: 'add', element: next },
  ] as const;
  assert.deepEqual(changeElements(it.socket, changes, true), []);
  assert.deepEqual(readSet(it.socket, at('marks')), [next]);
});

test('one refused change undoes the others of its call, and is named', () => {
  using it = prepared();
  const [good] = samples;
  assert.ok(good);
  const bad = { action: 'add', element: { ...good, set: 'nosuch' } } as const;
  const refusals = changeElements(it.socket, [{ action: 'add', element: good }, bad], true);
  assert.deepEqual(
    refusals.map(({ change, error }) => [change, error.message]),
    [[bad, 'ENOENT']],
  );
  assert.deepEqual(readSet(it.socket, good), []);
});

test('deletions of what is gone do not stop the other changes of the call', () => {
  using it = prepared();
  const element = (last: number): SetElement => ({ ...at('pods4'), key: { ip: parseIp(`10.0.0.${last}`) } });
  addElement(it.socket, element(1));
  const changes = [1, 2, 3].map((last) => ({ action: 'delete', element: element(last) }) as const);
  assert.deepEqual(changeElements(it.socket, [...changes, { action: 'add', element: element(9) }], true), []);
  assert.deepEqual(readSet(it.socket, at('pods4')), [element(9)]);
});

test('a key of another type than the set is refused by the kernel', () => {
  using it = prepared();
  assert.throws(() => addElement(it.socket, { ...at('pods4'), key: { ip: parseIp('fd00::5') } }), refusedWith('EINVAL'));
});

test('five thousand elements go in as one transaction and are read back completely', () => {
  using it = prepared();
  const elements = Array.from(
    { length: 5000 },
    (_, i): SetElement => ({ ...at('pods4'), key: { ip: ipFromBigInt(0x0a000000n + BigInt(i), 4) } }),
  );
  const changes = elements.map((element) => ({ action: 'add', element }) as const);
  assert.deepEqual(changeElements(it.socket, changes, false), []);
  const found = new Set(readSet(it.socket, at('pods4'))?.map(({ key }) => JSON.stringify(key)));
  assert.deepEqual(found, new Set(elements.map(({ key }) => JSON.stringify(key))));
});

test('a set that is not there reads as undefined; one of a type that we do not use is named as such', () => {
  using it = prepared();
  assert.equal(readSet(it.socket, at('nosuch')), undefined);
  assert.equal(readSet(it.socket, { ...at('pods4'), table: 'nosuch' }), undefined);
  assert.throws(() => readSet(it.socket, at('ports')), { kind: 'kernelRefused', details: /nft type 13/ });
  assert.throws(() => readSet(it.socket, at('ranges')), { kind: 'kernelRefused' });
});

test('the comment of a table is read: empty for none, undefined for no table', () => {
  using it = prepared();
  runNft(it.ns.netns, 'table ip bare\n', 'test');
  assert.equal(readTableComment(it.socket, 'inet', 't'), 'version 7');
  assert.equal(readTableComment(it.socket, 'ip', 'bare'), '');
  assert.equal(readTableComment(it.socket, 'ip6', 'bare'), undefined);
});

test('an interface name that cannot be one is refused before the kernel sees it', () => {
  for (const ifname of ['', 'sixteencharacter']) assert.throws(() => bytesOfValue({ ifname }), RangeError);
});

test('decoders take arbitrary bytes', () => {
  const payload = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(payload, fc.constantFrom(7, 8, 19, 41, 99), (bytes, key) => {
      const received = { type: typeIn(10, 12), flags: 0, sequence: 0, port: 0, payload: bytes };
      decodeComment(received);
      try {
        decodeElements(received, at('x'), { key, data: undefined });
      } catch (error) {
        // Not ours: said in a Failure, not by chance.
        assert.equal((error as { kind?: string }).kind, 'kernelRefused');
      }
    }),
    { numRuns: 500 },
  );
});

test('nft lists through the library what was changed by raw messages', () => {
  using it = prepared();
  const [element] = samples;
  assert.ok(element);
  addElement(it.socket, element);
  assert.match(JSON.stringify(listNft(it.ns.netns, 'set inet t pods4')), /"elem":\["10\.0\.0\.5"\]/);
});

function refusedWith(...names: string[]): (error: unknown) => boolean {
  return (error) => error instanceof NetlinkError && names.some((name) => error.message.startsWith(name));
}
