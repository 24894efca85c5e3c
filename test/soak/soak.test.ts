/**
 * Two thousand random steps against a model. `SEED=` reruns a seed, `STEPS=` changes the number. The steps of a seed are always the same; when each
 * thing happens in the processes they speak to is not.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agree } from './agree.ts';
import { chooseStep } from './choose.ts';
import { takeEffect } from './effect.ts';
import { play } from './play.ts';
import { randomFrom } from './random.ts';
import { openStage, type Stage } from './stage.ts';
import type { Step } from './steps.ts';
import { newWorld, type World } from './world.ts';

const NODES = 2;
/** All is held against each other so often. */
const EVERY = 100;
/** Containers without an interface that are kept for what may still be asked about them. */
const IDLE = 8;
/** Steps that a failure shows. */
const LAST = 20;

/** Containers to forget: of those without an interface the oldest. */
function forget(world: World): number[] {
  const idle = [...world.boxes.values()].filter(({ attached }) => attached.size === 0);
  const old = idle.slice(0, Math.max(0, idle.length - IDLE)).map(({ id }) => id);
  for (const id of old) world.boxes.delete(id);
  return old;
}

function numberFrom(variable: string, otherwise: number): number {
  const text = process.env[variable];
  const number = text === undefined || text === '' ? otherwise : Number(text);
  assert.ok(Number.isSafeInteger(number) && number >= 0, `${variable}=${String(text)} is no whole number`);
  return number;
}

function say(step: Step): string {
  return JSON.stringify(step);
}

async function soak(stage: Stage, seed: number, steps: number): Promise<void> {
  const { world } = stage;
  const random = randomFrom(seed);
  const done: string[] = [];
  try {
    for (let i = 1; i <= steps; i++) {
      const step = chooseStep(random, world);
      done.push(`${i}: ${say(step)}`);
      await play(stage, step);
      takeEffect(world, step);
      for (const id of forget(world)) stage.removeNetns(id);
      await stage.cloud.restore();
      if (i % EVERY === 0 || i === steps) await agree(stage);
    }
  } catch (cause) {
    const logs = stage.lab.nodes.map((node) => `${node.name}:\n${node.log().trimEnd().split('\n').slice(-LAST).join('\n')}`);
    const what = cause instanceof Error ? cause.message : String(cause);
    const told = [`step ${done.length} of seed ${seed}: ${what}`, 'the last steps:', ...done.slice(-LAST), ...logs];
    throw new Error(`${told.join('\n')}\nrerun: SEED=${seed} STEPS=${steps} node test/run.ts soak`, { cause });
  }
}

test('random steps leave model, agent, database, kernel and cloud in agreement', async (t) => {
  const [seed, steps] = [numberFrom('SEED', Math.floor(Math.random() * 2 ** 32)), numberFrom('STEPS', 2000)];
  console.log(`soak: SEED=${seed} STEPS=${steps}`);
  await using stage = await openStage(newWorld(NODES));
  const started = performance.now();
  await soak(stage, seed, steps);
  t.diagnostic(
    `${steps} steps in ${Math.round((performance.now() - started) / 100) / 10} s; the cloud was healed ${stage.cloud.healed} times, agents started anew ${stage.restarts} times`,
  );
});

test('the steps of a seed are always the same', () => {
  const steps = (): string[] => {
    const [world, random] = [newWorld(NODES), randomFrom(42)];
    return Array.from({ length: 2000 }, () => {
      const step = chooseStep(random, world);
      takeEffect(world, step);
      forget(world);
      return say(step);
    });
  };
  const first = steps();
  assert.deepEqual(steps(), first);
  assert.equal(new Set(first.map((step) => (JSON.parse(step) as Step).kind)).size, 18, 'every kind of step comes');
});
