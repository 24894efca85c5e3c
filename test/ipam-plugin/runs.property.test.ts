/** Runs of used addresses against a set of them. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Ip, ipFromBigInt } from '../../src/net/address.ts';
import { schema } from '../../src/store/database-schema.ts';
import { type RangeLease, rangeLeases } from '../../src/store/range-leases.ts';

const at = (n: number): Ip => (n < 40 ? ipFromBigInt(0xffff_ffffn - BigInt(n), 4) : ipFromBigInt(BigInt(n), 6));
const lease = (scope: string, address: Ip): RangeLease => ({
  scope,
  address,
  container: 'c',
  ifname: 'eth0',
  network: 'n',
  pod: '',
  since_ms: 1,
});
const step = fc.record({
  what: fc.constantFrom('take', 'release', 'rest', 'end'),
  scope: fc.constantFrom('a', 'b'),
  n: fc.nat(79),
});

test('after any takes, releases and rests the runs hold what is leased or rests, and neither overlap nor touch', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      using database = new DatabaseSync(':memory:');
      for (const sql of schema) database.exec(sql);
      const leases = rangeLeases(database);
      const state = new Map<string, 'leased' | 'resting'>();
      for (const { what, scope, n } of steps) {
        const key = `${scope} ${n}`;
        const now = state.get(key);
        if (what === 'take' && now !== 'leased') {
          leases.take(lease(scope, at(n)));
          state.set(key, 'leased');
        } else if (what === 'take') {
          assert.throws(() => leases.take(lease(scope, at(n))), { kind: 'rangeAddressTaken' });
        } else if (what === 'end') {
          leases.endRests(scope, 200, 3);
          for (const [other] of state) if (other.startsWith(`${scope} `) && !usedIn(leases, other)) state.delete(other);
        } else {
          leases.release(lease(scope, at(n)), what === 'rest' ? 100 + n : 0);
          if (now === 'leased' && what === 'rest') state.set(key, 'resting');
          else if (now === 'leased') state.delete(key);
        }
        for (const one of ['a', 'b'])
          for (let i = 0; i < 80; i++)
            assert.equal(leases.usedUntil(one, at(i)) !== undefined, state.has(`${one} ${i}`), `${one} ${i} after ${what} ${key}`);
      }
      const runs = Number(database.prepare('SELECT count(*) AS n FROM used_runs').get()?.['n']);
      assert.equal(runs, runsOf(state));
    }),
    { numRuns: 150 },
  );
});

function usedIn(leases: ReturnType<typeof rangeLeases>, key: string): boolean {
  const [scope = '', n] = key.split(' ');
  return leases.usedUntil(scope, at(Number(n))) !== undefined;
}

/** How many runs there must be: one for each address whose predecessor is not used. */
function runsOf(state: ReadonlyMap<string, unknown>): number {
  const follows = (key: string): string => {
    const [scope, n] = key.split(' ');
    // IPv4 is counted down, IPv6 up.
    return Number(n) < 40 ? `${scope} ${Number(n) + 1}` : `${scope} ${Number(n) - 1}`;
  };
  const sameFamily = (key: string): boolean => Number(key.split(' ')[1]) < 40 === Number(follows(key).split(' ')[1]) < 40;
  return [...state.keys()].filter((key) => !(sameFamily(key) && state.has(follows(key)))).length;
}
