/** Packet programs: loaded, attached and replaced, and refused with the kernel's own words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ebpf, loadPacketProgram, verdict } from '../../src/kernel/ebpf.ts';
import { decodeLink, getLink, newVeth } from '../../src/kernel/netlink/link.ts';
import { newIngress, newIngressProgram } from '../../src/kernel/netlink/traffic.ts';
import { testNetns } from './namespace.ts';

test('a packet program is attached to a link and another takes its place', () => {
  using ns = testNetns('ebpf');
  const socket = ns.netns.socket();
  try {
    socket.request(newVeth({ name: 'a' }, { name: 'b' }));
    const index = socket.get(getLink('a'), decodeLink)?.index ?? 0;
    socket.request(newIngress(index));
    assert.throws(() => socket.request(newIngress(index)), /EEXIST/);
    for (const answer of [verdict.drop, verdict.goOn]) {
      using program = loadPacketProgram([ebpf.set(0, answer), ebpf.exit()]);
      socket.request(newIngressProgram(index, program.fd, 'test'));
    }
  } finally {
    socket.close();
  }
});

test('a program that the kernel refuses is told with its words', () => {
  assert.throws(() => loadPacketProgram([ebpf.exit()]), /does not load a packet program: EACCES: .*R0 !read_ok/s);
});
