/** What the installer asks a container runtime, and what follows from the answers. Who speaks to the runtime is somebody else. */
import { setTimeout as sleep } from 'node:timers/promises';
import { failure } from '../errors/failure.ts';
import type { VersionChoice } from './config-list.ts';

/** A runtime that can be asked. Both reject with a Failure when it cannot. */
export interface Runtime {
  version(): Promise<RuntimeVersion>;
  network(): Promise<RuntimeNetwork>;
}

/** CRI VersionResponse, as far as it matters. */
export interface RuntimeVersion {
  readonly name: string;
  readonly version: string;
}

/** What the runtime says about its network. */
export interface RuntimeNetwork {
  /** Whether Pods can be started, and why not. */
  readonly ready: boolean;
  readonly reason: string;
  /** Names of the configurations it has loaded; undefined when it does not tell. */
  readonly loaded?: readonly string[];
  /** Its words about the last loading; empty when that went well or it does not tell. */
  readonly loadError: string;
}

const EVERY_ms = 250;
/** A runtime notices within a second; it may be busy. */
const NOTICE_ms = 5000;

/**
 * The CNI version of the list. containerd before 2.0 loads a list of 1.1.0, calls its network ready, and fails every ADD; so without knowing the
 * runtime it is 1.0.0, and those that understand `cniVersions` choose better themselves.
 */
export function versionFor(runtime: RuntimeVersion | undefined): VersionChoice {
  const major = Number(/^v?(\d+)\./.exec(runtime?.version ?? '')?.[1] ?? Number.NaN);
  const isOld = runtime?.name === 'containerd' && !(major >= 2);
  if (runtime === undefined || isOld) return { cniVersion: '1.0.0', cniVersions: ['0.4.0', '1.0.0', '1.1.0'] };
  return { cniVersion: '1.1.0' };
}

/**
 * Waits until the runtime has loaded the list of that network, and has it written again once when it does not notice. A runtime that does not tell
 * names is believed when it calls its network ready. Returns what there is to know beside; mostly empty.
 * @throws Failure runtimeIgnores, or why it cannot be asked.
 */
export async function untilLoaded(runtime: Runtime, path: string, network: string, writeAgain: () => void): Promise<string> {
  for (const again of [false, true]) {
    if (again) writeAgain();
    for (const end = performance.now() + NOTICE_ms; performance.now() < end; await sleep(EVERY_ms)) {
      const state = await runtime.network();
      if (state.loaded?.includes(network) ?? state.ready)
        return state.ready ? '' : `loaded, but the runtime's network is not ready: ${state.reason}`;
    }
  }
  const { loaded, loadError, reason } = await runtime.network();
  const uses = loaded === undefined ? '' : loaded.length === 0 ? 'it has loaded nothing' : `it uses the network ${loaded.join(', ')}`;
  throw failure('runtimeIgnores', { path, text: [uses, loadError, reason].filter((part) => part !== '').join('; ') });
}
