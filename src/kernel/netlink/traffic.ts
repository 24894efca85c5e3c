/** Programs at the ingress of a link (linux/pkt_sched.h, linux/pkt_cls.h): what comes in by it meets them before anything else. */
import { flag, Message } from './message.ts';

const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const RTM_NEWTFILTER = 44;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_BPF = { fd: 6, name: 7, flags: 8 } as const;
const DIRECT_ACTION = 1;
const INGRESS = 0xffff_fff1;
const INGRESS_HANDLE = 0xffff_0000;
/** All protocols (ETH_P_ALL in network order), priority 1. */
const ALL_FIRST = (1 << 16) | 0x0300;

/** Makes the place where programs are attached. EEXIST: it is there. */
export function newIngress(link: number): Message {
  return new Message(RTM_NEWQDISC, flag.create | flag.excl, tcmsg(link, INGRESS_HANDLE, INGRESS)).text(TCA_KIND, 'ingress');
}

/** Takes the place away, with what is attached there. EINVAL, ENOENT: there is none. */
export function deleteIngress(link: number): Message {
  return new Message(RTM_DELQDISC, 0, tcmsg(link, INGRESS_HANDLE, INGRESS));
}

/** Attaches the program, or puts it in the place of the one that is attached: no packet passes between. `name` is shown by `tc filter`. */
export function newIngressProgram(link: number, program: number, name: string): Message {
  return new Message(RTM_NEWTFILTER, flag.create, tcmsg(link, 1, INGRESS_HANDLE, ALL_FIRST))
    .text(TCA_KIND, 'bpf')
    .nest(TCA_OPTIONS, (message) => message.u32(TCA_BPF.fd, program).text(TCA_BPF.name, name).u32(TCA_BPF.flags, DIRECT_ACTION));
}

/** struct tcmsg (linux/rtnetlink.h). */
function tcmsg(link: number, handle: number, parent: number, info = 0): Buffer {
  const fixed = Buffer.alloc(20);
  fixed.writeInt32LE(link, 4);
  fixed.writeUInt32LE(handle >>> 0, 8);
  fixed.writeUInt32LE(parent >>> 0, 12);
  fixed.writeUInt32LE(info >>> 0, 16);
  return fixed;
}
