/**
 * The native calls Flatpod makes, as plain functions, through `node:ffi`. Nothing else in the repository touches FFI but libnftables (nft.ts),
 * so another FFI could take its place by implementing {@link Native}.
 *
 * A call that fails returns the negative errno, like a system call does: errors are answers here, exceptions are made further up.
 */
import ffi from 'node:ffi';
import { constants } from 'node:os';

/** What is asked of an FFI. Every integer result below zero is a negative errno. */
export interface Native {
  socket(domain: number, type: number, protocol: number): number;
  /** Binds a netlink socket to the multicast groups of the bit mask; 0 for none. */
  bindNetlink(fd: number, groups: number): number;
  /** The port of a bound netlink socket: what the kernel's messages name the sender of a request by. */
  netlinkPort(fd: number): number;
  /** Binds a packet socket to the Ethernet type and to the link with that index: from then on it receives (packet(7)). */
  bindPacket(fd: number, etherType: number, index: number): number;
  /** Binds a TCP socket of IPv4 to an address of four bytes and a port (ip(7)). */
  bindInet(fd: number, address: Uint8Array, port: number): number;
  /** SO_ATTACH_FILTER: `program` is an array of struct sock_filter (linux/filter.h), 8 bytes each. */
  attachFilter(fd: number, program: Uint8Array): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array): number;
  send(fd: number, bytes: Uint8Array, length: number): number;
  recv(fd: number, into: Uint8Array, flags: number): number;
  close(fd: number): number;
  setns(fd: number, kind: number): number;
  /** bpf(2) with a union bpf_attr; -ENOSYS on a machine whose number for it is not known here. */
  bpf(command: number, attributes: Uint8Array): number;
  /** Where the bytes are, for structures that point to them. They must have memory of their own: a slice of Buffer's pool may be elsewhere. */
  addressOf(bytes: Uint8Array): bigint;
  unshare(kind: number): number;
  /** mount(2) without data; an empty type is passed as the empty string. */
  mount(source: string, target: string, type: string, flags: number): number;
  umount(target: string, flags: number): number;
  /** Ends the process at once. For the one state that must not go on: being in a foreign network namespace for good. */
  abort(): never;
  /**
   * Calls back when `fd` is readable, on the event loop. The callback must drain the socket, and hand work over with setImmediate:
   * promises resolved inside of it would not run until the next turn. Returns the way to stop.
   */
  watchReadable(fd: number, readable: () => void): () => void;
}

const AF_INET = 2;
const AF_PACKET = 17;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const UV_POLL = 8;
const UV_READABLE = 1;

/** bpf(2) by architecture (asm/unistd.h): libc has no function of that name. */
const bpfNumbers: Readonly<Record<string, number>> = { x64: 321, arm64: 280, riscv64: 280, loong64: 280, ppc64: 361, s390x: 351 };

const { functions: libc, lib } = ffi.dlopen(null, {
  socket: { return: 'int32', arguments: ['int32', 'int32', 'int32'] },
  bind: { return: 'int32', arguments: ['int32', 'buffer', 'uint32'] },
  getsockname: { return: 'int32', arguments: ['int32', 'buffer', 'buffer'] },
  setsockopt: { return: 'int32', arguments: ['int32', 'int32', 'int32', 'buffer', 'uint32'] },
  send: { return: 'int32', arguments: ['int32', 'buffer', 'uint64', 'int32'] },
  recv: { return: 'int32', arguments: ['int32', 'buffer', 'uint64', 'int32'] },
  close: { return: 'int32', arguments: ['int32'] },
  setns: { return: 'int32', arguments: ['int32', 'int32'] },
  syscall: { return: 'int64', arguments: ['int64', 'int64', 'buffer', 'int64'] },
  unshare: { return: 'int32', arguments: ['int32'] },
  mount: { return: 'int32', arguments: ['buffer', 'buffer', 'buffer', 'uint64', 'uint64'] },
  umount2: { return: 'int32', arguments: ['buffer', 'int32'] },
  abort: { return: 'void', arguments: [] },
  __errno_location: { return: 'pointer', arguments: [] },
  uv_handle_size: { return: 'uint64', arguments: ['int32'] },
  uv_poll_init: { return: 'int32', arguments: ['pointer', 'buffer', 'int32'] },
  uv_poll_start: { return: 'int32', arguments: ['buffer', 'int32', 'pointer'] },
  uv_poll_stop: { return: 'int32', arguments: ['buffer'] },
  uv_close: { return: 'void', arguments: ['buffer', 'pointer'] },
});

// One thread, one errno: its address never changes.
const errnoAt = libc.__errno_location();

function answer(result: number): number {
  return result < 0 ? -ffi.getInt32(errnoAt) : result;
}

function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

/** The process's own native calls. */
export const native: Native = {
  socket: (domain, type, protocol) => answer(libc.socket(domain, type, protocol)),
  bindNetlink(fd, groups) {
    const address = Buffer.alloc(12); // sockaddr_nl: family, pad, port 0 (the kernel chooses), groups
    address.writeUInt16LE(16, 0);
    address.writeUInt32LE(groups >>> 0, 8);
    return answer(libc.bind(fd, address, address.length));
  },
  netlinkPort(fd) {
    const [address, length] = [Buffer.alloc(12), Buffer.alloc(4)];
    length.writeUInt32LE(address.length);
    const failed = answer(libc.getsockname(fd, address, length));
    return failed < 0 ? failed : address.readUInt32LE(4);
  },
  bindPacket(fd, etherType, index) {
    const address = Buffer.alloc(20); // sockaddr_ll: family, protocol in network order, index; the rest is for sending to an address
    address.writeUInt16LE(AF_PACKET, 0);
    address.writeUInt16BE(etherType, 2);
    address.writeInt32LE(index, 4);
    return answer(libc.bind(fd, address, address.length));
  },
  bindInet(fd, bytes, port) {
    const address = Buffer.alloc(16); // sockaddr_in: family, port and address in network order, 8 bytes of nothing
    address.writeUInt16LE(AF_INET, 0);
    address.writeUInt16BE(port, 2);
    address.set(bytes, 4);
    return answer(libc.bind(fd, address, address.length));
  },
  attachFilter(fd, program) {
    const fprog = Buffer.alloc(16); // struct sock_fprog: length in instructions, and where they are
    fprog.writeUInt16LE(program.length / 8, 0);
    fprog.writeBigUInt64LE(ffi.getRawPointer(program), 8);
    return answer(libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, fprog, fprog.length));
  },
  setsockopt: (fd, level, option, value) => answer(libc.setsockopt(fd, level, option, value, value.length)),
  send: (fd, bytes, length) => answer(libc.send(fd, bytes, BigInt(length), 0)),
  recv: (fd, into, flags) => answer(libc.recv(fd, into, BigInt(into.length), flags)),
  close: (fd) => answer(libc.close(fd)),
  setns: (fd, kind) => answer(libc.setns(fd, kind)),
  bpf(command, attributes) {
    const number = bpfNumbers[process.arch];
    if (number === undefined) return -constants.errno.ENOSYS;
    return answer(Number(libc.syscall(BigInt(number), BigInt(command), attributes, BigInt(attributes.length))));
  },
  addressOf: (bytes) => ffi.getRawPointer(bytes),
  unshare: (kind) => answer(libc.unshare(kind)),
  mount: (source, target, type, flags) => answer(libc.mount(cString(source), cString(target), cString(type), BigInt(flags), 0n)),
  umount: (target, flags) => answer(libc.umount2(cString(target), flags)),
  abort() {
    libc.abort();
    throw new Error('abort() returned');
  },
  watchReadable(fd, readable) {
    // Slow allocation: a slice of Buffer's pool may move under libuv's feet.
    const handle = Buffer.allocUnsafeSlow(Number(libc.uv_handle_size(UV_POLL)));
    const ready = (_handle: unknown, status: number): void => {
      readable();
      // libuv stops watching a descriptor that reports an error, and lost events (ENOBUFS) are one: go on.
      if (status < 0) libc.uv_poll_start(handle, UV_READABLE, callback);
    };
    const callback = lib.registerCallback({ return: 'void', arguments: ['pointer', 'int32', 'int32'] }, ready);
    const failed = libc.uv_poll_init(ffi.getCurrentEventLoop(), handle, fd) || libc.uv_poll_start(handle, UV_READABLE, callback);
    if (failed !== 0) throw new Error(`uv_poll on ${fd}: ${failed}`);
    return () => {
      libc.uv_poll_stop(handle);
      libc.uv_close(handle, 0n);
      // libuv is done with the handle at the end of this turn; keep it and the callback for one more.
      setImmediate(() => setImmediate(() => (handle.fill(0), lib.unregisterCallback(callback))));
    };
  },
};
