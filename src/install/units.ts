/** The systemd units: the agent as a service, and its socket, which outlives it (systemd.service(5), systemd.socket(5)). */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { attempt, placeFile, removeFile, removeUnfinished } from './place-file.ts';
import type { Tell } from './step.ts';

/** What the units say about this node. All are absolute paths without control characters. */
export interface UnitFacts {
  /** The command `flatpod`. */
  readonly launcher: string;
  /** The Node.js executable it runs under. */
  readonly node: string;
  readonly config: string;
  readonly socket: string;
  readonly state: string;
}

const names = ['flatpod.socket', 'flatpod.service'] as const;
const unfinished = /^\.flatpod\.(?:socket|service)\.(\d+)$/;
/** What `systemctl enable` makes of the [Install] sections; it cannot undo that once the units are gone. */
const enabled = ['sockets.target.wants/flatpod.socket', 'multi-user.target.wants/flatpod.service'];

/** Writes both units. systemd hears of them with `systemctl daemon-reload`. @throws Failure installFile. */
export function installUnits(directory: string, facts: UnitFacts, tell: Tell): void {
  attempt('make', directory, () => mkdirSync(directory, { recursive: true, mode: 0o755 }));
  removeUnfinished(directory, unfinished);
  for (const name of names) {
    const path = join(directory, name);
    const contents = Buffer.from(unitText(name, facts));
    tell({ done: placeFile({ path, contents, mode: 0o644, temporary: `.${name}.${process.pid}` }), path, note: '' });
  }
}

/** Takes both away, enabled or not. A running agent goes on until it is stopped. @throws Failure installFile. */
export function removeUnits(directory: string, tell: Tell): void {
  for (const name of names) {
    const path = join(directory, name);
    tell({ done: removeFile(path) ? 'removed' : 'absent', path, note: '' });
  }
  for (const path of enabled.map((name) => join(directory, name)).filter(removeFile)) tell({ done: 'removed', path, note: 'enabled' });
  for (const path of removeUnfinished(directory, unfinished)) tell({ done: 'removed', path, note: 'unfinished' });
}

/** The text of a unit on this node. A line whose fact there is not is left out. */
export function unitText(name: (typeof names)[number], facts: UnitFacts): string {
  // A bundle has its texts beside it, the sources have them in this folder: both are where this module is.
  const template = readFileSync(join(import.meta.dirname, name), 'utf8');
  // StateDirectory= speaks of folders in /var/lib only; elsewhere the agent makes its own.
  const below = facts.state.startsWith('/var/lib/') ? facts.state.slice('/var/lib/'.length) : '';
  const words: Readonly<Record<string, string>> = {
    // systemd expands no variables in what it executes.
    LAUNCHER: word(facts.launcher, false),
    CONFIG: word(facts.config),
    STATE: word(facts.state),
    // The one place that takes a path as it is, blanks and quotes included.
    SOCKET: name === 'flatpod.socket' ? facts.socket.replaceAll('%', '%%') : word(facts.socket),
    NODE: `"FLATPOD_NODE=${escaped(facts.node)}"`,
    STATE_DIRECTORY: below === '' ? '' : word(below, false),
  };
  return template
    .split('\n')
    .filter((line) => !/^\w+=@(\w+)@$/.test(line) || words[/@(\w+)@/.exec(line)?.[1] ?? ''] !== '')
    .join('\n')
    .replaceAll(/@([A-Z_]+)@/g, (whole, fact: string) => words[fact] ?? whole);
}

/** One word of a command line or a list; `$` means something in command lines alone. */
function word(text: string, command = true): string {
  const quoted = command ? escaped(text).replaceAll('$', '$$$$') : escaped(text);
  return /^[\w./:@%$-]+$/.test(quoted) ? quoted : `"${quoted}"`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%');
}
