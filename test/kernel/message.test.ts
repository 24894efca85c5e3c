/** Netlink messages: bytes in, bytes out, and whatever else comes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { eventOf } from '../../src/kernel/monitor.ts';
import { decodeAddress } from '../../src/kernel/netlink/address.ts';
import { decodeLink } from '../../src/kernel/netlink/link.ts';
import { attributesOf, HEADER, Message, messagesIn, type Received, textOf, u32Of } from '../../src/kernel/netlink/message.ts';
import { decodeNeighbour } from '../../src/kernel/netlink/neighbour.ts';
import { decodeRoute } from '../../src/kernel/netlink/route.ts';
import { decodeRule } from '../../src/kernel/netlink/rule.ts';

const RUNS = { numRuns: 2000 };
const decoders = [decodeLink, decodeAddress, decodeRoute, decodeRule, decodeNeighbour, eventOf];

const bytes = (maxLength: number): fc.Arbitrary<Buffer> => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

/** Attributes whose lengths are mostly right: gets deeper into the decoders than noise does. */
const attributes = fc
  .array(fc.record({ type: fc.integer({ min: 0, max: 30 }), value: bytes(20), lie: fc.constantFrom(0, 0, 0, 0, -3, 5) }), { maxLength: 8 })
  .map((list) =>
    Buffer.concat(
      list.map(({ type, value, lie }) => {
        const attribute = Buffer.alloc(4 + ((value.length + 3) & ~3));
        attribute.writeUInt16LE(Math.max(0, 4 + value.length + lie), 0);
        attribute.writeUInt16LE(type, 2);
        attribute.set(value, 4);
        return attribute;
      }),
    ),
  );

const received: fc.Arbitrary<Received> = fc.record({
  type: fc.integer({ min: 16, max: 35 }),
  flags: fc.constant(0),
  sequence: fc.constant(0),
  port: fc.constant(0),
  payload: fc.oneof(
    bytes(64),
    fc.tuple(fc.constantFrom(0, 2, 10), bytes(15), attributes).map(([family, fixed, rest]) => {
      const head = Buffer.concat([Buffer.of(family), fixed], fixed.length > 11 ? 16 : fixed.length > 7 ? 12 : 8);
      return Buffer.concat([head, rest]);
    }),
  ),
});

test('decoders take arbitrary payloads: an object or nothing, never an exception', () => {
  fc.assert(
    fc.property(received, (message) => {
      for (const decode of decoders) decode(message);
    }),
    RUNS,
  );
});

test('arbitrary bytes are split into messages that lie within them, and the splitting ends', () => {
  fc.assert(
    fc.property(bytes(200), (datagram) => {
      let total = 0;
      for (const { payload } of messagesIn(datagram)) total += HEADER + payload.length;
      assert.ok(total <= datagram.length);
    }),
    RUNS,
  );
});

test('arbitrary bytes are split into attributes from any offset, and the splitting ends', () => {
  fc.assert(
    fc.property(bytes(100), fc.nat(120), (payload, offset) => {
      const found = attributesOf(payload, offset);
      for (const type of found.keys()) {
        textOf(found, type);
        u32Of(found, type);
      }
    }),
    RUNS,
  );
});

test('what a message is built of comes back out of it, nests included, each attribute padded to 4', () => {
  const parts = fc.uniqueArray(fc.record({ type: fc.integer({ min: 1, max: 100 }), value: bytes(40) }), {
    selector: ({ type }) => type,
    maxLength: 8,
  });
  fc.assert(
    fc.property(parts, parts, fc.integer({ min: 1, max: 0xffff_ffff }), (outer, inner, sequence) => {
      const message = new Message(16, 0x400, Buffer.alloc(16, 7));
      for (const { type, value } of outer) message.bytesAttribute(type, value);
      message.nest(200, () => inner.forEach(({ type, value }) => message.bytesAttribute(type, value)));
      const encoded = message.finish(sequence, 4);
      const [back, ...more] = [...messagesIn(encoded)];
      assert.ok(back !== undefined && more.length === 0 && encoded.length % 4 === 0);
      assert.deepEqual([back.type, back.flags, back.sequence], [16, 0x405, sequence]);
      const found = attributesOf(back.payload, 16);
      const plain = (map: Map<number, Buffer>): unknown =>
        [...map].filter(([type]) => type !== 200).map(([type, value]) => [type, value.toString('hex')]);
      const expected = (list: { type: number; value: Buffer }[]): unknown => list.map(({ type, value }) => [type, value.toString('hex')]);
      assert.deepEqual(plain(found), expected(outer));
      assert.deepEqual(plain(attributesOf(found.get(200) ?? assert.fail())), expected(inner));
    }),
    RUNS,
  );
});

test('a message that outgrows its capacity is a defect, said at once', () => {
  assert.throws(() => new Message(16, 0, Buffer.alloc(16)).bytesAttribute(1, Buffer.alloc(2000)), RangeError);
  assert.throws(() => new Message(16, 0, Buffer.alloc(16), 1024 * 1024), RangeError);
});
