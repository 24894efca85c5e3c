/** The frame between executable and agent: what is put in comes out, and nothing that comes in does harm. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decodeFrame, decodeReply, encodeFrame, encodeReply, frameLimit, frameReader } from '../../src/cni/frame.ts';
import { isFailure } from '../../src/errors/failure.ts';

const name = fc.stringMatching(/^[A-Z][A-Z_]{0,20}$/);
const value = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((text) => !text.includes('\0') && text.isWellFormed());
const request = fc.record({ variables: fc.dictionary(name, value, { maxKeys: 12 }), stdin: fc.uint8Array({ maxLength: 300 }) });

/** Runs it; whether it ended with a value or a frameInvalid. Anything else is thrown on. */
function endsWell(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (isFailure(error, 'frameInvalid')) return true;
    throw error;
  }
}

test('a request survives the frame, however the stream cuts it', () => {
  fc.assert(
    fc.property(request, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), ({ variables, stdin }, cuts) => {
      const frame = encodeFrame({ variables: new Map(Object.entries(variables)), stdin });
      const reader = frameReader();
      let whole: Uint8Array | undefined;
      for (let at = 0, i = 0; at < frame.length; i++) {
        const end = at + (cuts[i % cuts.length] ?? 1);
        assert.equal(whole, undefined, 'the frame was taken for whole too early');
        whole = reader.take(frame.subarray(at, end));
        at = end;
      }
      const decoded = decodeFrame(whole ?? new Uint8Array());
      assert.deepEqual(Object.fromEntries(decoded.variables), { ...variables });
      assert.deepEqual([...decoded.stdin], [...stdin]);
    }),
  );
});

test('a reply survives the frame', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), value, (status, stdout) => {
      assert.deepEqual(decodeReply(encodeReply({ status, stdout })), { status, stdout });
    }),
  );
});

test('arbitrary bytes are a frame or FP118, never anything else', () => {
  const lengthOf = (bytes: Uint8Array): Uint8Array => {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(bytes.length);
    return head;
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), fc.boolean(), (noise, sized, versioned) => {
      const payload = versioned ? Buffer.concat([Buffer.from([1]), noise]) : noise;
      const bytes = sized ? Buffer.concat([lengthOf(payload), payload]) : payload;
      return endsWell(() => decodeFrame(bytes)) && endsWell(() => decodeReply(bytes)) && endsWell(() => frameReader().take(bytes));
    }),
    { numRuns: 2000 },
  );
});

test('a frame that announces too much or nothing is refused with its first four bytes; one that is exceeded, at once', () => {
  const announce = (length: number): Uint8Array => {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(length);
    return head;
  };
  for (const length of [0, frameLimit + 1, 0xffff_ffff])
    assert.throws(() => frameReader().take(announce(length)), { kind: 'frameInvalid' });
  assert.equal(frameReader().take(announce(frameLimit)), undefined);
  assert.throws(() => frameReader().take(Buffer.concat([announce(1), Buffer.from('ab')])), { kind: 'frameInvalid' });
  assert.throws(() => encodeReply({ status: 0, stdout: 'x'.repeat(frameLimit) }), { kind: 'frameInvalid' });
});

test('of a variable that comes twice the first counts, as with getenv()', () => {
  const payload = Buffer.from('\x01CNI_A=1\0CNI_A=2\0CNI_B=x=y\0\0in');
  const frame = Buffer.concat([Buffer.from([payload.length, 0, 0, 0]), payload]);
  const { variables, stdin } = decodeFrame(frame);
  assert.deepEqual(
    [...variables],
    [
      ['CNI_A', '1'],
      ['CNI_B', 'x=y'],
    ],
  );
  assert.equal(Buffer.from(stdin).toString(), 'in');
});

test('another version of the frame, endless variables, too many of them: FP118', () => {
  const many = new Map(Array.from({ length: 1100 }, (_, i) => [`CNI_${i}`, '']));
  assert.throws(() => decodeFrame(encodeFrame({ variables: many, stdin: new Uint8Array() })), { kind: 'frameInvalid' });
  assert.throws(() => decodeFrame(Buffer.from([1, 0, 0, 0, 2])), /form agreed/);
  assert.throws(() => decodeFrame(Buffer.from([3, 0, 0, 0, 1, 65, 61])), { details: 'the variables do not end' });
});
