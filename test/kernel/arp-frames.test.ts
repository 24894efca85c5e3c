/** ARP and neighbour discovery as bytes: what is sent is as the RFCs have it, and whatever comes in claims an address or does not, but never harms. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { arp } from '../../src/kernel/arp.ts';
import { protocolOf } from '../../src/kernel/address-probe.ts';
import { ndp } from '../../src/kernel/ndp.ts';
import { type Ip, ipFromBytes, parseIp } from '../../src/net/address.ts';
import { localMac, parseMac } from '../../src/net/mac.ts';

const [own, other] = [parseMac('02:00:00:00:00:01'), parseMac('02:00:00:00:00:02')];
const [four, six] = [parseIp('192.0.2.9'), parseIp('2001:db8::12:3456')];

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const anyAddress = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map((bytes) => ipFromBytes(bytes))
  .filter((ip) => ip !== '0.0.0.0' && ip !== '::');
const anyMac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map(localMac);

test('an ARP probe names no sender address, an announcement names the address twice (RFC 5227, sections 1.1 and 2.3)', () => {
  const head = 'ffffffffffff02000000000108060001080006040001020000000001';
  assert.equal(hex(arp.probe(four, own)), `${head}00000000${'00'.repeat(6)}c0000209`);
  assert.equal(hex(arp.announcement(four, own)), `${head}c0000209${'00'.repeat(6)}c0000209`);
});

test('a solicitation from nobody goes to the solicited-node group, an advertisement with Override to all nodes (RFC 4861, sections 4.3 and 4.4)', () => {
  const target = '20010db8000000000000000000123456';
  const probe = hex(ndp.probe(six, own));
  assert.match(probe, /^3333ff123456020000000001 ?86dd60000000 ?00183aff/);
  assert.equal(probe.slice(44, 108), `${'0'.repeat(32)}ff0200000000000000000001ff123456`);
  assert.match(probe.slice(108), new RegExp(`^8700[0-9a-f]{4}00000000${target}$`));
  const announcement = hex(ndp.announcement(six, own));
  assert.match(announcement, /^333300000001020000000001 ?86dd60000000 ?00203aff/);
  assert.equal(announcement.slice(44, 108), `${target}ff020000000000000000000000000001`);
  assert.match(announcement.slice(108), new RegExp(`^8800[0-9a-f]{4}20000000${target}0201020000000001$`));
});

test('ICMPv6 checksums are right, whatever the address and the MAC', () => {
  const anySix = anyAddress.filter((ip) => ip.includes(':'));
  fc.assert(
    fc.property(anySix, anyMac, fc.boolean(), (address, mac, probes) => {
      const frame = probes ? ndp.probe(address, mac) : ndp.announcement(address, mac);
      const icmp = frame.subarray(54);
      const summed = Buffer.concat([frame.subarray(22, 54), Buffer.from([0, icmp.length, 0, 58]), icmp]);
      let sum = 0;
      for (let i = 0; i < summed.length; i += 2) sum += summed.readUInt16BE(i);
      assert.equal(sum % 0xffff, 0);
    }),
  );
});

test("what others probe is wanted, what they announce they have; one's own frames and other addresses say nothing", () => {
  fc.assert(
    fc.property(anyAddress, anyAddress, anyMac, anyMac, (address, elsewhere, mine, theirs) => {
      fc.pre(mine !== theirs && address !== elsewhere);
      const protocol = protocolOf(address);
      assert.deepEqual(protocol.rivalIn(protocol.probe(address, theirs), address, mine), { mac: theirs, how: 'wants' });
      assert.deepEqual(protocol.rivalIn(protocol.announcement(address, theirs), address, mine), { mac: theirs, how: 'has' });
      assert.equal(protocol.rivalIn(protocol.probe(address, mine), address, mine), undefined);
      assert.equal(protocol.rivalIn(protocol.announcement(address, mine), address, mine), undefined);
      const foreign = protocolOf(elsewhere).announcement(elsewhere, theirs);
      assert.equal(protocol.rivalIn(foreign, address, mine), undefined);
    }),
  );
});

test('whoever only looks for an address does not claim it', () => {
  const looking = arp.announcement(parseIp('192.0.2.1'), other);
  looking.set([192, 0, 2, 9], 38);
  assert.equal(arp.rivalIn(looking, four, own), undefined);
  const solicitation = ndp.probe(six, other);
  solicitation.set([0x20, 1], 22);
  assert.equal(ndp.rivalIn(solicitation, six, own), undefined);
});

test('an advertisement that was routed here is of no neighbour; one whose options are broken names its sender', () => {
  const routed = ndp.announcement(six, other);
  routed[21] = 254;
  assert.equal(ndp.rivalIn(routed, six, own), undefined);
  const broken = ndp.announcement(six, other);
  broken[broken.length - 7] = 0;
  assert.deepEqual(ndp.rivalIn(broken, six, own), { mac: other, how: 'has' });
});

test('any bytes, and any frame that was cut or damaged, are borne', () => {
  const damaged = fc.tuple(anyAddress, anyMac, fc.boolean(), fc.nat(100), fc.array(fc.tuple(fc.nat(90), fc.nat(255)), { maxLength: 4 }));
  const of = (address: Ip, frame: Buffer): void => {
    const rival = protocolOf(address).rivalIn(frame, address, own);
    if (rival !== undefined) assert.notEqual(rival.mac, own);
  };
  fc.assert(fc.property(anyAddress, fc.uint8Array({ maxLength: 120 }), (address, bytes) => of(address, Buffer.from(bytes))));
  fc.assert(
    fc.property(damaged, ([address, mac, probes, length, changes]) => {
      const protocol = protocolOf(address);
      const frame = Buffer.from(probes ? protocol.probe(address, mac) : protocol.announcement(address, mac)).subarray(0, length);
      for (const [at, value] of changes) if (at < frame.length) frame[at] = value;
      of(address, frame);
    }),
  );
});
