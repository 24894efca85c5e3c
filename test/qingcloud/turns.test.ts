/** Turns in a vxnet: those of one kind together, those of the other in their order, and nobody for ever. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SubnetId } from '../../src/cloud/cloud.ts';
import { noTurns, type Turn } from '../../src/cloud/qingcloud/turns.ts';
import { patienceFor } from '../../src/cloud/qingcloud/patience.ts';
import { isFailure, sentence } from '../../src/errors/failure.ts';
import { turnsOfTheLoop, virtualClock } from '../cloud/virtual-clock.ts';

const vxnet = 'vxnet-00000001' as SubnetId;
const asked = { cloud: 'qingcloud', endpoint: 'e', call: 'CreateNics', object: 'a NIC' };

function ground() {
  const clock = virtualClock();
  const turns = noTurns(clock);
  const inside: string[] = [];
  return {
    clock,
    inside,
    /** Resolves when it is in, with the way out. */
    enter: async (turn: Turn, name: string, for_ms = 1000): Promise<() => void> => {
      const own = await turns.take(vxnet, turn, asked, patienceFor(clock, for_ms));
      inside.push(name);
      return () => {
        inside.splice(inside.indexOf(name), 1);
        own[Symbol.dispose]();
      };
    },
    settled: turnsOfTheLoop,
  };
}

test('those of one kind are in together, those of the other when all are out, and nobody overtakes who came before', async () => {
  const { enter, inside, settled } = ground();
  const first = [await enter('make', 'a'), await enter('make', 'b')];
  const [takingOver, late] = [enter('takeOver', 'c'), enter('make', 'd')];
  first[0]?.();
  await settled();
  assert.deepEqual(inside, ['b']);
  first[1]?.();
  const out = await takingOver;
  await settled();
  assert.deepEqual(inside, ['c']);
  out();
  await late;
  assert.deepEqual(inside, ['d']);
});

test('who waits too long is told so, and keeps nobody waiting', async () => {
  const { clock, enter, inside } = ground();
  await enter('make', 'a', 60_000);
  const takingOver = enter('takeOver', 'b', 500);
  const behind = enter('make', 'c', 60_000);
  const over = assert.rejects(takingOver, (error) => isFailure(error, 'cloudUnavailable') && /NICs were being made/.test(sentence(error)));
  await clock.advance(1000);
  await over;
  await behind;
  assert.deepEqual(inside, ['a', 'c']);
});
