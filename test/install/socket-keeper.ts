/**
 * A service manager in small, as a program: holds a socket and runs a command behind it for ever, as systemd does (sd_listen_fds(3)).
 *
 * Arguments: the socket, a folder, the command. The folder's files: `pid` of the command that runs; `hold`: start none; `stop`: end when none runs.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

const [socket = '', folder = '', ...command] = process.argv.slice(2);
const [pidFile, hold, stop] = ['pid', 'hold', 'stop'].map((name) => join(folder, name));
const never = new Int32Array(new SharedArrayBuffer(4));

// The socket is bound and listening when this returns. The event loop never turns from here on: nobody accepts but the command.
createServer().listen(socket);
const fd = listeningOn(socket);
const log = openSync(join(folder, 'log'), 'a');
const shell = 'echo $$ > "$0.new"; mv "$0.new" "$0"; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"';
while (!existsSync(stop ?? '')) {
  if (existsSync(hold ?? '')) Atomics.wait(never, 0, 0, 10);
  else spawnSync('sh', ['-c', shell, pidFile ?? '', ...command], { stdio: ['ignore', log, log, fd] });
  rmSync(pidFile ?? '', { force: true });
}
process.exit(0);

/** The descriptor in this process of the socket that is bound there (proc_net_unix(5): inode and path end each line). */
function listeningOn(path: string): number {
  const line = readFileSync('/proc/self/net/unix', 'utf8')
    .split('\n')
    .find((one) => one.endsWith(` ${path}`));
  const inode = line?.trim().split(/\s+/).at(-2) ?? '';
  const found = readdirSync('/proc/self/fd').find((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`) === `socket:[${inode}]`;
    } catch {
      return false; // the folder's own descriptor
    }
  });
  return Number(found);
}
