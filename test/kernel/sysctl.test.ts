/** sysctls of a namespace. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSysctl, writeSysctl } from '../../src/kernel/sysctl.ts';
import { testNetns } from './namespace.ts';

const FORWARD = 'net/ipv4/ip_forward';

test('a sysctl is set in the namespace that is meant and in no other', () => {
  using one = testNetns('sysctl');
  using other = testNetns('sysctl');
  const before = readSysctl(undefined, FORWARD);
  const value = readSysctl(one.netns, FORWARD) === '1' ? '0' : '1';
  const untouched = readSysctl(other.netns, FORWARD);
  writeSysctl(one.netns, FORWARD, value);
  assert.equal(one.exec(`cat /proc/sys/${FORWARD}`).trim(), value);
  assert.equal(readSysctl(one.netns, FORWARD), value);
  assert.equal(readSysctl(other.netns, FORWARD), untouched);
  assert.equal(readSysctl(undefined, FORWARD), before);
});

test('interface names with dots are part of a key', () => {
  using ns = testNetns('sysctl');
  ns.ip('link add eth0.5 type bridge');
  writeSysctl(ns.netns, 'net/ipv4/conf/eth0.5/rp_filter', '2');
  assert.equal(ns.exec('cat /proc/sys/net/ipv4/conf/eth0.5/rp_filter').trim(), '2');
});

test('a value that is there already is not written again', () => {
  using ns = testNetns('sysctl');
  // Read-only, so a write would be refused.
  const key = 'net/netfilter/nf_conntrack_count';
  assert.equal(readSysctl(ns.netns, key), '0');
  writeSysctl(ns.netns, key, '0');
  assert.throws(() => writeSysctl(ns.netns, key, '1'), { kind: 'sysctlRefused', code: 146 });
});

test('a key that is not there reads as undefined, and refuses to be written, by name', () => {
  using ns = testNetns('sysctl');
  const key = 'net/ipv4/conf/nosuch/rp_filter';
  assert.equal(readSysctl(ns.netns, key), undefined);
  assert.throws(() => writeSysctl(ns.netns, key, '1'), {
    kind: 'sysctlRefused',
    message: /write sysctl .*nosuch.* = 1 in \/run\/netns\//,
    details: 'ENOENT',
  });
});

test('a value that the kernel does not take is refused with its errno', () => {
  using ns = testNetns('sysctl');
  assert.throws(() => writeSysctl(ns.netns, FORWARD, 'maybe'), { kind: 'sysctlRefused', details: 'EINVAL' });
});

test('no key leads out of /proc/sys', () => {
  for (const key of ['../version', 'net/../../version', '/etc/passwd', 'net//ipv4', ''])
    assert.throws(() => readSysctl(undefined, key), RangeError, key);
});
