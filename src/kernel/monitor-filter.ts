/**
 * What the monitor wants to hear, as a classic BPF program (linux/filter.h): the kernel drops the rest before it wakes us. A dozen messages come with
 * every Pod; this leaves two.
 *
 * Loads are big-endian, netlink is not: numbers are compared with their bytes turned round.
 */
import { encodeProgram, type Instruction, JUMP_EQUAL, LOAD_BYTE, LOAD_HALF, LOAD_WORD, RETURN } from './bpf.ts';
import { RTM_DELADDR, RTM_NEWADDR } from './netlink/address.ts';
import { RTM_DELLINK, RTM_NEWLINK } from './netlink/link.ts';
import { HEADER } from './netlink/message.ts';
import { RTM_DELROUTE } from './netlink/route.ts';
import { RTM_DELRULE } from './netlink/rule.ts';

/** Offsets in the message: nlmsghdr.nlmsg_type and nlmsg_pid, ifinfomsg.ifi_change, rtmsg.rtm_protocol, ifaddrmsg.ifa_scope. */
const [TYPE, PORT, CHANGE, PROTOCOL, SCOPE] = [4, 12, HEADER + 12, HEADER + 5, HEADER + 3];
/** rtm_protocol of the routes that come and go with links and addresses (linux/rtnetlink.h). */
const RTPROT_KERNEL = 2;
/** ifa_scope of addresses that others can reach: every link has one of its own beside them (linux/rtnetlink.h). */
const RT_SCOPE_UNIVERSE = 0;

/**
 * Keeps DELLINK, DELADDR, DELRULE, NEWADDR of addresses that are not of the link alone, DELROUTE of routes that somebody made, and NEWLINK of links that
 * are new, go up or go down; nothing that a request of the socket with port `own` caused.
 */
export function monitorFilter(own: number): Buffer {
  const [keep, drop] = [15, 16];
  const at = (here: number, there: number): number => there - here - 1;
  const program: Instruction[] = [
    [LOAD_WORD, 0, 0, PORT],
    [JUMP_EQUAL, at(1, drop), 0, turned(own, 4)],
    [LOAD_HALF, 0, 0, TYPE],
    [JUMP_EQUAL, at(3, 9), 0, turned(RTM_NEWLINK, 2)],
    [JUMP_EQUAL, at(4, 11), 0, turned(RTM_DELROUTE, 2)],
    [JUMP_EQUAL, at(5, 13), 0, turned(RTM_NEWADDR, 2)],
    [JUMP_EQUAL, at(6, keep), 0, turned(RTM_DELLINK, 2)],
    [JUMP_EQUAL, at(7, keep), 0, turned(RTM_DELADDR, 2)],
    [JUMP_EQUAL, at(8, keep), at(8, drop), turned(RTM_DELRULE, 2)],
    [LOAD_WORD, 0, 0, CHANGE],
    [JUMP_EQUAL, at(10, drop), at(10, keep), 0],
    [LOAD_BYTE, 0, 0, PROTOCOL],
    [JUMP_EQUAL, at(12, drop), at(12, keep), RTPROT_KERNEL],
    [LOAD_BYTE, 0, 0, SCOPE],
    [JUMP_EQUAL, at(14, keep), at(14, drop), RT_SCOPE_UNIVERSE],
    [RETURN, 0, 0, 0xffff_ffff],
    [RETURN, 0, 0, 0],
  ];
  return encodeProgram(program);
}

function turned(value: number, bytes: 2 | 4): number {
  const turning = Buffer.alloc(bytes);
  turning.writeUIntLE(value, 0, bytes);
  return turning.readUIntBE(0, bytes);
}
