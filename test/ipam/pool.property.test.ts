/** Whatever happens in whatever order, the pool agrees with a model that is too simple to be wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Pool, type Resting } from '../../src/ipam/pool.ts';
import { type Ip, parseIp } from '../../src/net/address.ts';
import { addressesOf, type Cidr, contains, parseCidr } from '../../src/net/cidr.ts';

const universe = ['10.0.0.0/28', '10.0.0.16/28', '10.0.0.32/32', '10.0.0.33/32', '10.0.0.34/32', '10.0.0.36/30'].map(parseCidr);
const excluded = ['10.0.0.2/32', '10.0.0.20/30', '10.0.0.33/32'].map(parseCidr);
const blockIndex = fc.nat(universe.length - 1);

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('take' as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('release' as const), nth: fc.nat(), rest: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('ask' as const), last: fc.nat(39) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(20) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('grant' as const), blocks: fc.uniqueArray(blockIndex), back: fc.uniqueArray(blockIndex) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('giveBack' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('inUse' as const), last: fc.nat(39) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Leases, rests, grants: plain sets, looked through from end to end. */
class Model {
  now = 0;
  leased = new Set<Ip>();
  resting = new Map<Ip, number>();
  granted: Cidr[] = [...universe];
  asked: Cidr[] = [];
  returned = new Set<Cidr>();

  usable(ip: Ip): Cidr | undefined {
    if (excluded.some((cidr) => contains(cidr, ip))) return undefined;
    return this.granted.find((cidr) => contains(cidr, ip) && !this.returned.has(cidr));
  }
  isFree(ip: Ip): boolean {
    return this.usable(ip) !== undefined && !this.leased.has(ip) && (this.resting.get(ip) ?? 0) <= this.now;
  }
  free(): Ip[] {
    return this.granted.flatMap((cidr) => [...addressesOf(cidr)]).filter((ip) => this.isFree(ip));
  }
  tidy(): void {
    for (const [ip, until] of this.resting) if (until <= this.now) this.resting.delete(ip);
  }
  rests(): Resting[] {
    return [...this.resting].map(([address, until_ms]) => ({ address, until_ms }));
  }
  nics() {
    return [{ id: 'a', blocks: this.granted, reclaiming: this.asked.filter((cidr) => this.granted.includes(cidr)) }];
  }
}

function newPool(model: Model): Pool {
  return new Pool({ families: [4], exclude: excluded, maximum: 250, returned: [...model.returned] });
}

function run(model: Model, pool: Pool, at: Step): Pool {
  switch (at.do) {
    case 'take': {
      const free = model.free();
      const calm = free.filter((ip) => !model.asked.some((cidr) => contains(cidr, ip)));
      const ip = pool.take(model.now)?.addresses[0];
      if (ip === undefined) assert.deepEqual(free, [], 'an address is free, but the pool gives none');
      else {
        assert.ok((calm.length > 0 ? calm : free).includes(ip), `${ip} was not to be given out`);
        model.leased.add(ip);
        model.resting.delete(ip);
      }
      return pool;
    }
    case 'release': {
      const ip = [...model.leased][at.nth % Math.max(model.leased.size, 1)];
      if (ip === undefined) return pool;
      pool.release([ip], model.now + at.rest);
      model.leased.delete(ip);
      model.resting.set(ip, model.now + at.rest);
      return pool;
    }
    case 'ask': {
      const ip = parseIp(`10.0.0.${at.last}`);
      const free = model.isFree(ip);
      const answer = pool.takeRequested([ip], model.now);
      assert.equal(answer !== undefined && 'addresses' in answer, free, `${ip}: ${JSON.stringify(answer)}`);
      if (free) model.leased.add(ip);
      return pool;
    }
    case 'wait':
      model.now += at.ms;
      return pool;
    case 'grant':
      model.granted = universe.filter((_, i) => at.blocks.includes(i));
      model.asked = universe.filter((_, i) => at.back.includes(i));
      for (const cidr of model.returned) if (!model.granted.includes(cidr)) model.returned.delete(cidr);
      assert.deepEqual(pool.grant(model.nics()), []);
      return pool;
    case 'giveBack': {
      model.tidy();
      const busy = [...model.leased, ...model.resting.keys()];
      for (const cidr of model.nics()[0]?.reclaiming ?? []) if (!busy.some((ip) => contains(cidr, ip))) model.returned.add(cidr);
      assert.deepEqual(pool.giveBack(model.now).toSorted(), [...model.returned].toSorted());
      return pool;
    }
    case 'restart': {
      const again = newPool(model);
      again.restore([...model.leased], model.rests());
      again.grant(model.nics());
      return again;
    }
    case 'inUse': {
      // Somebody else turns out to use it, best one that rests.
      const ip = [...model.resting.keys()][at.last % Math.max(model.resting.size, 1)] ?? parseIp(`10.0.0.${at.last}`);
      pool.restore([ip], []);
      model.leased.add(ip);
      model.resting.delete(ip);
      return pool;
    }
    default:
      return at satisfies never;
  }
}

test('the pool agrees with the simple model: never a leased, resting, excluded or returned address, never none while one is free', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const model = new Model();
      let pool = newPool(model);
      pool.grant(model.nics());
      for (const at of steps) {
        pool = run(model, pool, at);
        const counts = pool.counts(model.now);
        model.tidy();
        assert.equal(counts.inUse + counts.lost, model.leased.size);
        assert.equal(counts.free + counts.reclaiming, model.free().length);
        assert.equal(counts.held, counts.inUse + counts.cooling + counts.free + counts.reclaiming);
      }
    }),
    { numRuns: 300 },
  );
});
