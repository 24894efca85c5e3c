/**
 * Network namespaces without fork or exec.
 *
 * A process may visit another namespace with setns(2), but only its calling thread: what any other thread does meanwhile, or what is queued while the
 * visit lasts, may land in the wrong network. So a visit is one synchronous function without await, log or anything that may schedule work, and a
 * socket opened in it belongs to that namespace for good.
 */
import { closeSync, constants, fstatSync, mkdirSync, openSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { failure } from '../errors/failure.ts';
import { errnoName } from './errno.ts';
import { native } from './native.ts';
import { NetlinkSocket } from './netlink/socket.ts';

const CLONE_NEWNET = 0x4000_0000;
const MS_BIND = 4096;
const MS_REC = 16_384;
const MS_SHARED = 1 << 20;
const MNT_DETACH = 2;
const NSFS_MAGIC = 0x6e73_6673;
/** Where `ip netns` looks. */
export const NAMED = '/run/netns';
const OWN = '/proc/thread-self/ns/net';

// Opened before any visit, kept for life: the way home.
const home = openSync(OWN, constants.O_RDONLY);
const homeInode = fstatSync(home).ino;

/** An open network namespace. While it is open the namespace lives, even when nothing else holds it: close it. */
export interface Netns extends Disposable {
  readonly path: string;
  readonly fd: number;
  /** Opens a netlink socket that belongs to the namespace. The caller closes it. */
  socket(): NetlinkSocket;
  /** Runs `visit` inside. It must be synchronous and must do nothing but file and socket system calls. */
  run<T>(visit: () => T): T;
}

/**
 * Opens the namespace at a path.
 * @throws Failure netnsMissing, notNetns, hostNetns (unless `ownToo`).
 */
export function openNetns(path: string, ownToo = false): Netns {
  const fd = openFile(path);
  try {
    if (statfsSync(`/proc/self/fd/${fd}`).type !== NSFS_MAGIC) throw failure('notNetns', { path, what: 'it is a file of another kind' });
    if (!ownToo && fstatSync(fd).ino === homeInode) throw failure('hostNetns', { path });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const run = <T>(visit: () => T): T => runIn(fd, path, visit);
  return { path, fd, run, socket: () => run(() => new NetlinkSocket()), [Symbol.dispose]: () => closeSync(fd) };
}

/**
 * Makes a namespace and binds it to /run/netns/NAME, as `ip netns add` does. `prepare` runs inside before it has a name: whoever finds the name finds
 * its work done. A name that a creator killed in between left without a namespace is taken over.
 * @throws Failure kernelRefused.
 */
export function createNetns(name: string, prepare?: (socket: NetlinkSocket) => void): string {
  const path = `${NAMED}/${name}`;
  mkdirSync(NAMED, { recursive: true, mode: 0o755 });
  shareNames();
  if (isUnboundName(path)) rmSync(path);
  try {
    writeFileSync(path, '', { flag: 'wx', mode: 0o444 });
  } catch (cause) {
    throw failure(
      'kernelRefused',
      { action: 'create', object: 'netns', netns: path, errno: codeOf(cause), text: 'a namespace of that name exists' },
      cause,
    );
  }
  let bound = false;
  try {
    const made = bear(path, prepare);
    if (made < 0) {
      const facts = { action: 'create', object: 'netns', netns: path, errno: errnoName(made), text: 'needs CAP_SYS_ADMIN' };
      throw failure('kernelRefused', facts);
    }
    bound = true;
    return path;
  } finally {
    if (!bound) rmSync(path, { force: true });
  }
}

/** Unbinds and removes /run/netns/NAME. The namespace itself goes when its last user does. Succeeds when it is not there. */
export function deleteNetns(name: string): void {
  const path = `${NAMED}/${name}`;
  native.umount(path, MNT_DETACH);
  rmSync(path, { force: true });
}

/** The open file of the process's own namespace, to move links to. Not to be closed. */
export function ownNetnsFd(): number {
  return home;
}

/** Whether there is a network namespace at the path right now. */
export function isNetns(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC && statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Whether the name stands for no namespace: an empty file, of a creator that was killed (or one that is at work this very moment). */
export function isUnboundName(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && found.isFile() && found.size === 0 && !isNetns(path);
}

/**
 * Makes the folder of names a mount point that others share, as `ip netns add` does where it is none (iproute2, ip/ipnetns.c). If `ip` came after us, it would
 * mount the folder over itself with all names in it, and those could not be deleted any more. A folder that has names already is left as it is.
 */
function shareNames(): void {
  const share = (): number => native.mount('', NAMED, 'none', MS_SHARED | MS_REC);
  if (share() === 0 || readdirSync(NAMED).length > 0) return;
  if (native.mount(NAMED, NAMED, 'none', MS_BIND) === 0) share();
}

function bear(path: string, prepare: ((socket: NetlinkSocket) => void) | undefined): number {
  const born = native.unshare(CLONE_NEWNET);
  if (born < 0) return born;
  try {
    if (prepare !== undefined) {
      const socket = new NetlinkSocket();
      try {
        prepare(socket);
      } finally {
        socket.close();
      }
    }
    return native.mount(OWN, path, 'none', MS_BIND);
  } finally {
    goHome();
  }
}

function openFile(path: string): number {
  try {
    // Without O_NONBLOCK, opening a FIFO would wait for a writer for ever.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw failure('netnsMissing', { path, errno: codeOf(cause) }, cause);
  }
}

function runIn<T>(fd: number, path: string, visit: () => T): T {
  const entered = native.setns(fd, CLONE_NEWNET);
  if (entered < 0) throw failure('notNetns', { path, what: errnoName(entered) });
  try {
    return visit();
  } finally {
    goHome();
  }
}

/** Not to get home means that every further call would change a foreign network. */
function goHome(): void {
  if (native.setns(home, CLONE_NEWNET) < 0) native.abort();
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
}
