/** `flatpod install` and `flatpod uninstall`: options, what was done, what is left to do. */
import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { NodeReport } from '../agent/status-report.ts';
import { cniVersions } from '../cni/versions.ts';
import { asFailure, failure, sentence } from '../errors/failure.ts';
import { type Installation, install } from '../install/install.ts';
import type { Step } from '../install/step.ts';
import { uninstall } from '../install/uninstall.ts';
import { askAgent } from './ask.ts';
import { launcher } from './demo/processes.ts';
import { type Style, styled, table } from './table.ts';

/** Options of both commands, as typed. */
export interface PlaceArguments {
  readonly binDir: string;
  readonly confDir: string;
  readonly systemd?: string;
  readonly json: boolean;
}

/** Options of `flatpod install`, as typed. */
export interface InstallArguments extends PlaceArguments {
  readonly runtimeSocket?: string;
  readonly network: string;
  readonly chain: string;
  readonly cniVersion?: string;
  /** Seconds as text; false for --no-wait. */
  readonly wait: string | false;
  readonly config: string;
  readonly socket: string;
  readonly state: string;
}

const ANSWER_ms = 5000;
/** The socket that the executable knows without being told. */
const USUAL_SOCKET = '/run/flatpod/cni.sock';
const START =
  'systemd learns of the units, and starts or restarts the agent, with: systemctl daemon-reload && systemctl enable flatpod.service && systemctl restart flatpod.service';

/** Prints a line for each file. @throws Failure badOption, and those of {@link install}. */
export async function runInstall(options: InstallArguments): Promise<number> {
  const report: Report = { steps: [], notes: [] };
  const what = installation(options);
  const start = (): string[] => (report.steps.some(isFreshUnit) ? [START] : []);
  try {
    await install(what, {
      step: (step) => report.steps.push(step),
      waiting: (reason) => process.stderr.write([...start(), `waiting for the agent: ${reason}`].map((line) => `${line}\n`).join('')),
      note: (text) => report.notes.push(text),
    });
  } catch (error) {
    // What was done stays done: the reader should know it beside the reason. With --json the reason is the one object.
    if (!options.json) print(report, false);
    throw error;
  }
  report.notes.push(...start(), ...notesFor(options));
  print(report, options.json);
  return 0;
}

/** Prints a line for each file. @throws Failure badOption, installFile. */
export function runUninstall({ binDir, confDir, systemd, json }: PlaceArguments): Promise<number> {
  const report: Report = { steps: [], notes: [] };
  for (const [option, value] of Object.entries({ '--bin-dir': binDir, '--conf-dir': confDir })) absolute(option, value);
  if (systemd !== undefined) absolute('--systemd', systemd);
  uninstall({ binDir, confDir, ...(systemd !== undefined && { units: systemd }) }, (step) => report.steps.push(step));
  if (report.steps.some(({ done }) => done === 'removed'))
    report.notes.push('Pods that run keep their network, and the agent goes on: flatpod drain gives everything back');
  print(report, json);
  return Promise.resolve(0);
}

interface Report {
  readonly steps: Step[];
  readonly notes: string[];
}

/** What the options say, checked. @throws Failure badOption */
export function installation(options: InstallArguments): Installation {
  const { binDir, confDir, systemd, runtimeSocket, network, chain, cniVersion, wait, config, socket, state } = options;
  const paths = {
    '--bin-dir': binDir,
    '--conf-dir': confDir,
    '--systemd': systemd,
    '--config': config,
    '--socket': socket,
    '--state': state,
    '--runtime-socket': runtimeSocket,
  };
  for (const [option, value] of Object.entries(paths)) if (value !== undefined) absolute(option, value);
  // CNI specification 1.1.0, section 1: names of networks.
  if (!/^[a-zA-Z0-9][\w.-]*$/.test(network))
    throw failure('badOption', {
      option: '--network',
      value: network,
      remedy: 'letters, digits, _ . - are allowed, a letter or digit first',
    });
  if (cniVersion !== undefined && !cniVersions.some((one) => one === cniVersion))
    throw failure('badOption', { option: '--cni-version', value: cniVersion, remedy: `one of ${cniVersions.join(', ')}` });
  const command = realpathSync(launcher);
  const facts = { launcher: command, node: process.execPath, config, socket, state };
  return {
    from: join(dirname(dirname(command)), 'dist/cni'),
    binDir,
    confDir,
    list: { network, chain: chainOf(chain) },
    ...(cniVersion !== undefined && { cniVersion }),
    ...(runtimeSocket !== undefined && { runtimeSocket }),
    ...(systemd !== undefined && { units: { directory: systemd, facts } }),
    ...(wait !== false && { agent: { wait_ms: secondsOf(wait) * 1000, notReady: () => notReady(socket) } }),
  };
}

/** Plugins of --chain. @throws Failure badOption. */
function chainOf(text: string): string[] {
  const plugins = text === 'none' ? [] : text.split(',');
  const wrong = plugins.find((plugin, i) => !/^[\w.-]*\w$/.test(plugin) || plugins.indexOf(plugin) !== i || plugin === 'flatpod');
  if (wrong === undefined) return plugins;
  throw failure('badOption', {
    option: '--chain',
    value: text,
    remedy: 'give names of plugins with commas between, each once, ours left out: portmap,bandwidth',
  });
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== '' && seconds >= 0 && seconds <= 3600) return seconds;
  throw failure('badOption', { option: '--wait', value: text, remedy: 'give seconds, 0 to 3600' });
}

function absolute(option: string, value: string): void {
  if (!/^\/\P{Cc}*$/u.test(value)) throw failure('badOption', { option, value, remedy: 'give an absolute path' });
}

/** Why the agent cannot serve an ADD now; empty when it can. */
async function notReady(socket: string): Promise<string> {
  try {
    const { ready, reason } = await askAgent<NodeReport>(socket, 'report', ANSWER_ms);
    return ready ? '' : reason;
  } catch (error) {
    return sentence(asFailure(error));
  }
}

function isFreshUnit({ done, path }: Step): boolean {
  return done === 'written' && path.endsWith('/flatpod.service');
}

function notesFor({ chain, socket }: InstallArguments): string[] {
  const notes: string[] = [];
  if (chain === 'none') notes.push('hostPorts and bandwidth annotations have no effect without --chain portmap,bandwidth');
  if (socket !== USUAL_SOCKET) notes.push(`the container runtime must run with FLATPOD_SOCKET=${socket} in its environment`);
  return notes;
}

const styles: Readonly<Record<Step['done'], Style>> = {
  written: 'green',
  unchanged: 'dim',
  'set aside': 'yellow',
  removed: 'green',
  absent: 'dim',
  kept: 'yellow',
};

function print({ steps, notes }: Report, json: boolean): void {
  const out = process.stdout;
  if (json) out.write(`${JSON.stringify({ steps, notes })}\n`);
  else {
    const rows = steps.map(({ done, path, note }) => [styled(out, styles[done], done), path, note]);
    out.write(table(out, ['DONE', 'FILE', 'NOTE'], rows) + notes.map((note) => `note: ${note}\n`).join(''));
  }
}
