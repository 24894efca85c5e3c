/** Routing-policy rules over rtnetlink, against the kernel and `ip -j`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAIN_TABLE } from '../../src/kernel/netlink/route.ts';
import { decodeRule, deleteRule, dumpRules, newRule, type Rule } from '../../src/kernel/netlink/rule.ts';
import { NetlinkError } from '../../src/kernel/netlink/socket.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { openHost } from './host.ts';

const PROTOCOL = 114;
const base = { priority: 700, protocol: PROTOCOL } as const;
/** Rule → what ip shows of it. */
const cases: readonly [name: string, rule: Rule, shown: Record<string, unknown>][] = [
  ['to an address', { ...base, family: 4, to: parseCidr('10.0.0.5/32'), table: MAIN_TABLE }, { dst: '10.0.0.5', table: 'main' }],
  ['from a prefix', { ...base, family: 4, from: parseCidr('10.0.0.0/28'), table: 7001 }, { src: '10.0.0.0', srclen: 28, table: '7001' }],
  [
    'from and to',
    { ...base, family: 4, from: parseCidr('10.0.0.5/32'), to: parseCidr('10.1.0.0/16'), table: 200 },
    { src: '10.0.0.5', dst: '10.1.0.0', dstlen: 16, table: '200' },
  ],
  ['a mark under a mask', { ...base, family: 4, mark: { value: 0x2, mask: 0x6e }, table: 7001 }, { fwmark: '0x2', fwmask: '0x6e' }],
  ['the highest mark', { ...base, family: 4, mark: { value: 0xffff_ffff, mask: 0xffff_ffff }, table: 7001 }, { fwmark: '0xffffffff' }],
  ['an incoming interface', { ...base, family: 4, iif: 'lo', table: 7001 }, { iif: 'lo' }],
  ['IPv6 to an address', { ...base, family: 6, to: parseCidr('fd00::5/128'), table: MAIN_TABLE }, { dst: 'fd00::5' }],
  [
    'IPv6 from a prefix with mark and interface',
    { ...base, family: 6, from: parseCidr('fd00::/80'), mark: { value: 1, mask: 1 }, iif: 'eth0', table: 70_001 },
    { src: 'fd00::', srclen: 80, fwmark: '0x1', fwmask: '0x1', iif: 'eth0', table: '70001' },
  ],
];

for (const [name, rule, expected] of cases)
  test(`a rule ${name} is shown by ip as it was added, decoded the same, and gone after its deletion`, () => {
    using host = openHost();
    const ours = (): Rule[] => host.socket.dump(dumpRules(rule.family), decodeRule).filter(({ protocol }) => protocol === PROTOCOL);
    host.socket.request(newRule(rule));
    const shown = host.ns.ipJson(`-${rule.family} rule show`).find(({ priority }) => priority === rule.priority);
    assert.deepEqual({ ...shown, ...expected, protocol: String(PROTOCOL) }, shown, JSON.stringify(shown));
    assert.deepEqual(ours(), [rule]);
    host.socket.request(deleteRule(rule));
    assert.deepEqual(ours(), []);
  });

test('the same rule twice is refused with EEXIST, a deletion of none with ENOENT', () => {
  using host = openHost();
  const rule: Rule = { ...base, family: 4, to: parseCidr('10.0.0.5/32'), table: MAIN_TABLE };
  host.socket.request(newRule(rule));
  assert.throws(
    () => host.socket.request(newRule(rule)),
    (error) => error instanceof NetlinkError && error.message.startsWith('EEXIST'),
  );
  host.socket.request(deleteRule(rule));
  assert.throws(
    () => host.socket.request(deleteRule(rule)),
    (error) => error instanceof NetlinkError && error.message.startsWith('ENOENT'),
  );
});

test("rules added by ip are decoded, the kernel's own too; those that lead to no table are left out", () => {
  using host = openHost();
  host.ns.ip('rule add from 10.0.0.0/8 fwmark 0x10/0xf0 iif lo lookup 99 pref 5 protocol 99');
  host.ns.ip('rule add to 10.9.0.0/16 blackhole pref 6');
  const found = host.socket.dump(dumpRules(4), decodeRule);
  const ip: Rule = {
    family: 4,
    priority: 5,
    from: parseCidr('10.0.0.0/8'),
    mark: { value: 0x10, mask: 0xf0 },
    iif: 'lo',
    table: 99,
    protocol: 99,
  };
  assert.deepEqual(
    found.find(({ priority }) => priority === 5),
    ip,
  );
  assert.deepEqual(
    found.map(({ priority, table }) => [priority, table]),
    [
      [0, 255],
      [5, 99],
      [32_766, 254],
      [32_767, 253],
    ],
  );
});
