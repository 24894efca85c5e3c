/** Which PodSubnets serve a Pod, in which order, and what is said when none does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { podSubnet } from '../../src/store/pod-subnet.ts';
import { candidatesFor, hangsOnServiceAccount, type PodAsking, subnetsNamed, whyNone } from '../../src/store/subnet-order.ts';

const subnet = (name: string, spec: object = {}) =>
  podSubnet.parse({ apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name }, spec: { cloudSubnet: 's', ...spec } });
const asking = (more: Partial<PodAsking> = {}): PodAsking => ({
  namespace: 'web',
  subnet: undefined,
  namespaceLabels: {},
  podLabels: {},
  ...more,
});
const annotated = (text: string) => asking({ namespaceAnnotations: { 'flatpod.dev/pod-subnet': text } });
const labels = (matchLabels: object) => ({ matchLabels });
const names = (subnets: ReturnType<typeof subnet>[], pod = asking()) => candidatesFor(subnets, pod).map((one) => one.metadata.name);

const web = subnet('web', { namespaces: ['web'] });
const other = subnet('other', { namespaces: ['other'] });
const all = subnet('all', { default: true });
const kept = subnet('kept', { assignable: true });

test('the subnet of the network configuration is the only one, whatever else is said', () => {
  assert.deepEqual(names([web, other, all], { ...annotated('web'), subnet: 'other' }), ['other']);
  assert.deepEqual(names([web, all], asking({ subnet: 'gone' })), []);
});

test('the annotation of the namespace comes next, in its own order, assignable or not, and nothing else counts', () => {
  assert.deepEqual(names([web, other, all, kept], annotated('kept, other,kept')), ['kept', 'other']);
  assert.deepEqual(names([web, all], annotated('gone')), []);
  assert.deepEqual(names([web, all], annotated('gone,web')), ['web']);
  assert.deepEqual(names([web, all, kept], annotated('auto')), []);
  assert.deepEqual(names([web, all], annotated(' , ')), ['web'], 'one that names nothing is none');
});

test('a subnet that is assigned serves nobody else, also when it is the only one', () => {
  assert.deepEqual(names([kept]), []);
});

test('subnets that name or select the Pod come before the defaults, which then do not count', () => {
  assert.deepEqual(names([all, web]), ['web']);
  assert.deepEqual(names([all, other]), ['all']);
  assert.deepEqual(names([subnet('both', { default: true, namespaces: ['other'] })]), ['both']);
});

test('of several the highest priority comes first, then the first name; defaults likewise', () => {
  const of = (spec: object) => [
    subnet('b', spec),
    subnet('c', { ...spec, priority: 5 }),
    subnet('a', spec),
    subnet('d', { ...spec, priority: -1 }),
  ];
  assert.deepEqual(names(of({ namespaces: ['web'] })), ['c', 'a', 'b', 'd']);
  assert.deepEqual(names(of({ default: true })), ['c', 'a', 'b', 'd']);
});

test('namespaces are those named and those selected; Pods are those of them that are selected', () => {
  const pod = asking({ namespaceLabels: { team: 'x' }, podLabels: { app: 'a' } });
  const select = (spec: object) => names([subnet('s', spec)], pod);
  assert.deepEqual(select({ namespaceSelector: labels({ team: 'x' }) }), ['s']);
  assert.deepEqual(select({ namespaceSelector: labels({ team: 'y' }) }), []);
  assert.deepEqual(select({ namespaceSelector: {} }), ['s']);
  assert.deepEqual(select({ namespaces: ['web'], namespaceSelector: labels({ team: 'y' }) }), ['s']);
  assert.deepEqual(select({ namespaces: ['other'], namespaceSelector: labels({ team: 'x' }) }), ['s']);
  assert.deepEqual(select({ podSelector: labels({ app: 'a' }) }), ['s']);
  assert.deepEqual(select({ podSelector: labels({ app: 'b' }) }), []);
  assert.deepEqual(select({ namespaces: ['other'], podSelector: labels({ app: 'a' }) }), []);
  assert.deepEqual(select({ namespaces: ['web'], podSelector: labels({ app: 'b' }) }), []);
  assert.deepEqual(select({ namespaceSelector: labels({ team: 'x' }), podSelector: labels({ app: 'a' }) }), ['s']);
  assert.deepEqual(select({}), []);
});

test('Pods are those whose service account is selected, where the other selectors select them too; all must hold', () => {
  const robots = { serviceAccountSelector: labels({ role: 'robot' }) };
  const select = (spec: object, serviceAccountLabels: PodAsking['serviceAccountLabels'] = { role: 'robot' }) =>
    names([subnet('s', spec), all], asking({ podLabels: { app: 'a' }, ...(serviceAccountLabels && { serviceAccountLabels }) }));
  assert.deepEqual(select(robots), ['s']);
  assert.deepEqual(select(robots, { role: 'person' }), ['all']);
  assert.deepEqual(names([subnet('s', robots), all]), ['all'], 'a Pod that runs as none');
  assert.deepEqual(select({ ...robots, podSelector: labels({ app: 'a' }) }), ['s']);
  assert.deepEqual(select({ ...robots, podSelector: labels({ app: 'b' }) }), ['all']);
  assert.deepEqual(select({ ...robots, namespaces: ['web'] }), ['s']);
  assert.deepEqual(select({ ...robots, namespaces: ['other'] }), ['all']);
  assert.deepEqual(select({ namespaces: ['web'], ...robots }, {}), ['all'], 'the namespace alone is not enough');
  assert.deepEqual(select({ serviceAccountSelector: {} }, {}), ['s']);
});

test('a choice hangs on a service account that is not known only where a PodSubnet selects by it, and nothing else rules that out', () => {
  const robots = { serviceAccountSelector: labels({ role: 'robot' }) };
  const hangs = (spec: object, pod = asking()) => hangsOnServiceAccount([subnet('s', spec), web, all], pod);
  assert.equal(hangs(robots), true);
  assert.equal(hangs({ ...robots, namespaces: ['web'] }), true);
  assert.equal(hangs({}), false);
  assert.equal(hangs({ ...robots, namespaces: ['other'] }), false);
  assert.equal(hangs({ ...robots, podSelector: labels({ app: 'b' }) }), false);
  assert.equal(hangs(robots, asking({ subnet: 'web' })), false);
  assert.equal(hangs(robots, annotated('web')), false);
  assert.equal(hangs(robots, asking({ serviceAccountLabels: {} })), false, 'it is known');
});

test('outside of Kubernetes, where nothing is known of a Pod, the default serves it, and selectors select nothing', () => {
  const nothing = { namespace: undefined, subnet: undefined };
  assert.deepEqual(names([web, subnet('s', { podSelector: {} }), subnet('t', { namespaceSelector: {} }), all], nothing), ['all']);
});

test('an annotation is read as names, each once, in order', () => {
  assert.deepEqual(subnetsNamed({ 'flatpod.dev/pod-subnet': ' b,a ,, b' }), ['b', 'a']);
  assert.equal(subnetsNamed({ 'flatpod.dev/pod-subnet': '' }), undefined);
  assert.equal(subnetsNamed(undefined), undefined);
});

test('whatever is asked: candidates are in order, of one step, never assigned to others; when there are none, all are named', () => {
  const word = fc.constantFrom('a', 'b', 'c');
  const some = fc.record({
    namespaces: fc.uniqueArray(word),
    priority: fc.integer({ min: -2, max: 2 }),
    default: fc.boolean(),
    assignable: fc.boolean(),
  });
  const selector = fc.option(fc.dictionary(word, word, { maxKeys: 1 }), { nil: undefined });
  const one = fc.record({ some, pods: selector, spaces: selector }).map(({ some: spec, pods, spaces }) => ({
    ...spec,
    ...(pods && { podSelector: labels(pods) }),
    ...(spaces && { namespaceSelector: labels(spaces) }),
  }));
  const pod = fc.record({ namespace: word, podLabels: fc.dictionary(word, word), namespaceLabels: fc.dictionary(word, word) });
  fc.assert(
    fc.property(fc.array(one, { maxLength: 6 }), pod, (specs, facts) => {
      const subnets = specs.map((spec, i) => subnet(`s${i}`, spec));
      const found = candidatesFor(subnets, { ...facts, subnet: undefined });
      const places = found.map(({ metadata, spec }) => [-spec.priority, metadata.name] as const);
      assert.deepEqual(
        places,
        places.toSorted(([a, x], [b, y]) => a - b || (x < y ? -1 : 1)),
      );
      assert.ok(found.every(({ spec }) => !spec.assignable));
      const chooses = ({ spec }: (typeof found)[number]): boolean =>
        spec.namespaces.length > 0 || spec.podSelector !== undefined || spec.namespaceSelector !== undefined;
      assert.ok(found.every(chooses) || found.every(({ spec }) => spec.default));
      if (found.length === 0)
        for (const { metadata } of subnets)
          assert.match(whyNone(subnets, { ...facts, subnet: undefined }), new RegExp(`${metadata.name}: `));
    }),
  );
});

const sentences: [what: string, subnets: ReturnType<typeof subnet>[], pod: PodAsking, sentence: string][] = [
  ['no subnet at all', [], asking(), 'none names or selects namespace web and none is the default; there are none at all'],
  ['the network configuration is wrong', [web], asking({ subnet: 'x' }), 'the network configuration asks for x; there are web'],
  [
    'the annotation is wrong',
    [web, other],
    annotated('x,y'),
    'namespace web asks for x, y (annotation flatpod.dev/pod-subnet); there are web, other',
  ],
  [
    'the controller has not chosen yet',
    [kept],
    annotated('auto'),
    'namespace web waits for the controller to give it a free assignable PodSubnet (annotation flatpod.dev/pod-subnet: auto); there are kept',
  ],
  [
    'each is for others',
    [
      other,
      kept,
      subnet('bare'),
      subnet('team', { namespaces: ['a'], namespaceSelector: labels({ team: 'x' }) }),
      subnet('app', { namespaces: ['web'], podSelector: labels({ app: 'b' }) }),
      subnet('robots', { serviceAccountSelector: labels({ role: 'robot' }) }),
    ],
    asking({ serviceAccountLabels: {} }),
    'none names or selects namespace web and none is the default; there are app: for Pods with app=b; bare: names no namespace; ' +
      'kept: only for namespaces it is assigned to; other: for namespaces other; robots: for Pods whose service account has role=robot; team: for namespaces a or with team=x',
  ],
  [
    'nothing is known of the Pod',
    [subnet('s', { namespaceSelector: labels({ team: 'x' }) }), subnet('t', { podSelector: labels({ app: 'b' }) })],
    { namespace: undefined, subnet: undefined },
    'none names or selects namespace (none given) and none is the default; ' +
      'there are s: for namespaces with team=x, and its labels are not known; t: for Pods with app=b, and its labels are not known',
  ],
];
for (const [what, subnets, pod, sentence] of sentences) {
  test(`why there is none: ${what}`, () => {
    assert.deepEqual(names(subnets, pod), []);
    assert.equal(whyNone(subnets, pod), sentence);
  });
}
