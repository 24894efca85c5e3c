/**
 * Installation, in the one order that never leaves a node half able: what can be found out first, executables, units, then, once the agent serves,
 * the config list. The list comes last because it makes a runtime call the node's network ready.
 *
 * Running it again does what is left to do; nothing that is right already is touched.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { failure } from '../errors/failure.ts';
import { before, listPath, writeList, writeListAgain } from './config-folder.ts';
import { knownToChain } from './chain-versions.ts';
import { configListText, type ListChoice } from './config-list.ts';
import { checkExecutables, installExecutables, missingBeside } from './executables.ts';
import { untilLoaded, versionFor } from './runtime.ts';
import type { Tell } from './step.ts';
import { installUnits, type UnitFacts } from './units.ts';

const EVERY_ms = 250;

/** What shall be installed where. Paths are absolute. */
export interface Installation {
  /** Folder with the built executables. */
  readonly from: string;
  readonly binDir: string;
  readonly confDir: string;
  readonly list: Omit<ListChoice, 'version'>;
  /** CNI version of the list; absent: what suits the runtime. */
  readonly cniVersion?: string;
  readonly units?: { readonly directory: string; readonly facts: UnitFacts };
  /** CRI socket of the runtime that uses the folders, to be asked what it understands and whether it noticed. */
  readonly runtimeSocket?: string;
  /** Absent: the list is written at once. */
  readonly agent?: { readonly wait_ms: number; readonly notReady: () => Promise<string> };
}

/** Whom to tell. */
export interface Telling {
  readonly step: Tell;
  /** Why it is waiting; once for each reason. */
  readonly waiting: (reason: string) => void;
  /** What the person should know at the end. */
  readonly note: (text: string) => void;
}

/** Installs. @throws Failure installFile, executableNotBuilt, pluginMissing, pluginUnusable, configListForeign, agentNotReady, and those of the runtime. */
export async function install(what: Installation, telling: Telling): Promise<void> {
  const { from, binDir, confDir, list, runtimeSocket, units, agent } = what;
  checkExecutables(from, binDir, list.chain);
  const wanted = what.cniVersion === undefined ? await versionFor(runtimeSocket) : { cniVersion: what.cniVersion };
  const version = knownToChain(wanted, binDir, list.chain);
  if (version !== wanted) telling.note(`the list is of CNI ${version.cniVersion}: newer ones are not known to all plugins of the chain`);
  installExecutables(from, binDir, telling.step);
  const missing = missingBeside(binDir);
  if (missing !== '') telling.note(missing);
  if (units !== undefined) installUnits(units.directory, units.facts, telling.step);
  if (agent !== undefined) await untilReady(agent.wait_ms, agent.notReady, telling.waiting);
  const text = configListText({ ...list, version });
  writeList(confDir, text, telling.step);
  const earlier = before(confDir);
  if (earlier.length > 0) telling.note(`${earlier.join(', ')} in ${confDir} sorts before ours: most runtimes use the first file alone`);
  if (runtimeSocket === undefined) return;
  const notReady = await untilLoaded(runtimeSocket, listPath(confDir), text, () => writeListAgain(confDir, text));
  telling.note(
    notReady === ''
      ? 'the runtime has loaded the config list'
      : `the runtime has loaded the config list, but its network is not ready: ${notReady}`,
  );
}

async function untilReady(wait_ms: number, notReady: () => Promise<string>, waiting: (reason: string) => void): Promise<void> {
  const end = performance.now() + wait_ms;
  for (let said = ''; ; await sleep(EVERY_ms)) {
    const reason = await notReady();
    if (reason === '') return;
    if (performance.now() >= end) throw failure('agentNotReady', { seconds: wait_ms / 1000, reason });
    if (reason !== said) waiting(reason);
    said = reason;
  }
}
