/** Which namespace has which PodSubnet for itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Assignable, assignmentsFor } from '../../src/controller/cluster/namespace-subnet-choice.ts';
import type { ClusterNamespace } from '../../src/store/kubernetes/core-objects.ts';
import { subnet } from './harness.ts';

const KEY = 'flatpod.dev/pod-subnet';
const namespace = (name: string, asks?: string): ClusterNamespace => ({
  name,
  uid: `uid-${name}`,
  labels: {},
  annotations: asks === undefined ? {} : { [KEY]: asks },
});
const one = (name: string, assignedTo: string[] = [], more: Partial<Assignable> & { priority?: number } = {}): Assignable => ({
  subnet: subnet(name, { cloudSubnet: `cloud-${name}`, assignable: true, priority: more.priority ?? 0 }),
  status: { cloudSubnets: [], cidrs: [], assignedTo, conditions: [] },
  isUsable: more.isUsable ?? true,
  isUsed: more.isUsed ?? false,
});
const plan = (namespaces: ClusterNamespace[], subnets: Assignable[]) => {
  const { owners, given, unserved } = assignmentsFor(namespaces, subnets);
  return { owners: Object.fromEntries(owners), given: Object.fromEntries(given), unserved };
};

test('a namespace that asks gets a free PodSubnet: the highest priority first, then the first name', () => {
  const subnets = [one('a'), one('b', [], { priority: 5 }), one('c', [], { isUsable: false }), one('d', ['other'], { isUsed: true })];
  assert.deepEqual(plan([namespace('x', 'auto'), namespace('y', 'auto'), namespace('z', 'auto'), namespace('w')], subnets), {
    owners: { a: ['y'], b: ['x'] },
    given: { x: 'b', y: 'a' },
    unserved: ['z'],
  });
});

test('what was given before a crash is given again, and nothing else', () => {
  assert.deepEqual(plan([namespace('x', 'auto')], [one('a'), one('b', ['x'])]), { owners: {}, given: { x: 'b' }, unserved: [] });
});

test('a PodSubnet named by hand is taken', () => {
  assert.deepEqual(plan([namespace('x', 'a'), namespace('y', 'auto')], [one('a')]), { owners: { a: ['x'] }, given: {}, unserved: ['y'] });
});

test('of several names only auto is replaced', () => {
  assert.deepEqual(plan([namespace('x', 'auto, general')], [one('a')]).given, { x: 'a,general' });
});

test('what a namespace that is gone had is free when no address of it is in use, and not before', () => {
  assert.deepEqual(plan([namespace('y', 'auto')], [one('a', ['x'], { isUsed: true })]), { owners: {}, given: {}, unserved: ['y'] });
  assert.deepEqual(plan([namespace('y', 'auto')], [one('a', ['x'])]), { owners: { a: ['y'] }, given: { y: 'a' }, unserved: [] });
  assert.deepEqual(plan([], [one('a', ['x'])]), { owners: { a: [] }, given: {}, unserved: [] });
});

/** One that is two namespaces' by its status is the second's as soon as the first has another. */
const sharedBefore: [{ name: string; asks: string | undefined }[], { assignedTo: string[]; isUsable: boolean; isUsed: boolean }[]] = [
  [
    { name: 'n0', asks: 'auto' },
    { name: 'n2', asks: 'auto' },
  ],
  [
    { assignedTo: ['n0', 'n2'], isUsable: false, isUsed: false },
    { assignedTo: [], isUsable: true, isUsed: false },
  ],
];

test('whatever there is: no PodSubnet is given to two namespaces, none that is in use, and a second look changes nothing', () => {
  const names = ['n0', 'n1', 'n2', 'n3'];
  const drawnNamespace = fc.record({ name: fc.constantFrom(...names), asks: fc.constantFrom(undefined, 'auto', 's0', 's1', 's2') });
  const drawnSubnet = fc.record({
    assignedTo: fc.uniqueArray(fc.constantFrom(...names), { maxLength: 2 }),
    isUsable: fc.boolean(),
    isUsed: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.uniqueArray(drawnNamespace, { selector: ({ name }) => name }), fc.array(drawnSubnet, { maxLength: 3 }), (drawn, of) => {
      const namespaces = drawn.map(({ name, asks }) => namespace(name, asks));
      const subnets = of.map(({ assignedTo, ...more }, i) => one(`s${i}`, assignedTo, more));
      const first = assignmentsFor(namespaces, subnets);
      assert.equal(new Set(first.given.values()).size, first.given.size);
      for (const [name, given] of first.given) {
        const before = subnets.find(({ subnet: { metadata } }) => metadata.name === given);
        assert.ok(before?.isUsed === false || before?.status.assignedTo.includes(name) === true);
        assert.deepEqual(first.owners.get(given) ?? before?.status.assignedTo, [name]);
      }
      const after = namespaces.map(({ name }) => namespace(name, first.given.get(name) ?? drawn.find((one_) => one_.name === name)?.asks));
      const then = subnets.map((s) => ({
        ...s,
        status: { ...s.status, assignedTo: [...(first.owners.get(s.subnet.metadata.name) ?? s.status.assignedTo)] },
      }));
      const second = assignmentsFor(after, then);
      assert.deepEqual([second.owners.size, second.given.size, second.unserved], [0, 0, first.unserved]);
    }),
    { examples: [sharedBefore] },
  );
});
