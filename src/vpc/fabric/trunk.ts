/**
 * Trunks: frames with a VLAN tag that come out of a trunk's link are a branch's, and go on, without the tag, through the branch's own port, where they are
 * checked like those of any NIC; what the fabric sends to that port goes back with the tag. Where the kernel has VLAN links, that port is one. Elsewhere two
 * small programs at the ingress of links do it:
 *
 *   instance eth1 ─── p<trunk> ─ program ─┬─ no tag ────────────── bridge of the trunk's subnet
 *                                         └─ tag 7 ─ t<branch> ─── p<branch> ─ bridge of the branch's subnet
 */
import { ebpf, kernelFunction, type Instruction, loadPacketProgram, packet, verdict } from '../../kernel/ebpf.ts';
import { errno } from '../../kernel/errno.ts';
import { type Link, setLink } from '../../kernel/netlink/link.ts';
import { NetlinkError, type NetlinkSocket } from '../../kernel/netlink/socket.ts';
import { deleteIngress, newIngress, newIngressProgram } from '../../kernel/netlink/traffic.ts';
import type { Trunk } from './wanted.ts';

/** 802.1Q in network order, as a little-endian machine reads it. */
const TAGGED = 0x0081;
const VLAN_ID = 0xfff;

/** Puts the programs of one trunk and its branches in place, or others in the place of those that are there. @throws NetlinkError, Error. */
export function carry(router: NetlinkSocket, { port, branches }: Trunk, links: ReadonlyMap<string, Link>): void {
  const trunk = links.get(port)?.index;
  if (trunk === undefined) return; // it could not be plugged in: told already
  const there = branches.flatMap(({ vlan, end }) => {
    const link = links.get(end)?.index;
    return link === undefined ? [] : [{ vlan, link }];
  });
  // Where the kernel knows VLANs, the ports of branches are VLAN links of the trunk's, and it sorts the frames itself.
  if (there.length === 0) return detach(router, trunk);
  for (const { vlan, link } of there) {
    router.request(setLink(link, { up: true }));
    attach(router, link, withTag(vlan, trunk), `tag ${vlan}`);
  }
  attach(router, trunk, byTag(there), 'branches');
}

function attach(router: NetlinkSocket, link: number, program: readonly Instruction[], name: string): void {
  using loaded = loadPacketProgram(program);
  try {
    router.request(newIngress(link));
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.errno !== errno.EEXIST) throw error;
  }
  router.request(newIngressProgram(link, loaded.fd, name));
}

function detach(router: NetlinkSocket, link: number): void {
  try {
    router.request(deleteIngress(link));
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error; // there was none
  }
}

/** Frames with a branch's tag go to its link without it. All others go on to the bridge, which carries none with a tag. */
function byTag(branches: readonly { readonly vlan: number; readonly link: number }[]): Instruction[] {
  const goOn = [ebpf.set(0, verdict.goOn), ebpf.exit()];
  const cases = branches.flatMap(({ vlan, link }) => {
    const hit = [ebpf.move(1, 6), ebpf.call(kernelFunction.vlanPop), ...redirectTo(link)];
    return [ebpf.skipUnless(7, vlan, hit.length), ...hit];
  });
  return [
    ebpf.move(6, 1),
    ebpf.load(7, 6, packet.vlanPresent),
    ebpf.skipUnless(7, 0, goOn.length),
    ...goOn,
    ebpf.load(7, 6, packet.vlanProtocol),
    ebpf.skipIf(7, TAGGED, goOn.length),
    ...goOn,
    ebpf.load(7, 6, packet.vlanTci),
    ebpf.and(7, VLAN_ID),
    ...cases,
    ...goOn,
  ];
}

/** Everything goes to the trunk, with the tag. */
function withTag(vlan: number, trunk: number): Instruction[] {
  return [ebpf.set(2, TAGGED), ebpf.set(3, vlan), ebpf.call(kernelFunction.vlanPush), ...redirectTo(trunk)];
}

function redirectTo(link: number): Instruction[] {
  return [ebpf.set(1, link), ebpf.set(2, 0), ebpf.call(kernelFunction.redirect), ebpf.exit()];
}
