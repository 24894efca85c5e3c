/** What the installer asks the container runtime: what it understands, and whether it took the config list. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { type RuntimeStatus, runtimeStatus, runtimeVersion } from '../cri/runtime.ts';
import { failure } from '../errors/failure.ts';
import type { VersionChoice } from './config-list.ts';

const EVERY_ms = 250;
/** How long a runtime may take to notice, unless told otherwise. It takes less than a second; it may be busy. */
const NOTICE_ms = 3000;

/** containerd's word about what it loaded (go-cni ConfigResult). The first network is its own loopback. `Source` is the file's text. */
const cniConfig = z.object({
  Networks: z.array(z.object({ Config: z.object({ Name: z.string(), Source: z.string() }) })).nullish(),
});
const LOOPBACK = 'cni-loopback';

/**
 * The CNI version of the list, for the runtime on that socket, or for one nobody knows. containerd before 2.0 loads a list of 1.1.0, calls its network
 * ready, and fails every ADD; so without knowing it is 1.0.0, and runtimes that understand `cniVersions` choose better by themselves.
 * @throws Failure runtimeSilent, runtimeRefused, runtimeUnclear.
 */
export async function versionFor(socket: string | undefined): Promise<VersionChoice> {
  if (socket === undefined) return unknown;
  const { name, version } = await runtimeVersion(socket);
  return versionOf(name, version);
}

const unknown: VersionChoice = { cniVersion: '1.0.0', cniVersions: ['0.4.0', '1.0.0', '1.1.0'] };

/** The same, for a runtime that says it is `name` in that version. */
export function versionOf(name: string, version: string): VersionChoice {
  const major = Number(/^v?(\d+)\./.exec(version)?.[1] ?? Number.NaN);
  return name === 'containerd' && !(major >= 2) ? unknown : { cniVersion: '1.1.0' };
}

/**
 * Waits until the runtime has loaded that text from `path`, and has it written again once when it does not notice. A runtime that does not tell what
 * it loaded is believed when it calls its network ready. Returns why its network is not ready although the list is loaded; mostly empty.
 * @throws Failure runtimeIgnores, runtimeSilent, runtimeRefused, runtimeUnclear.
 */
export async function untilLoaded(
  socket: string,
  path: string,
  text: string,
  writeAgain: () => void,
  notice_ms = NOTICE_ms,
): Promise<string> {
  let state = stateOf(await runtimeStatus(socket, true));
  for (const again of [false, true]) {
    if (again) writeAgain();
    for (const end = performance.now() + notice_ms; performance.now() < end; await sleep(EVERY_ms)) {
      state = stateOf(await runtimeStatus(socket, true));
      if (state.loaded?.some(({ Source }) => Source === text) ?? state.notReady === '') return state.notReady;
    }
  }
  const uses = state.loaded?.map(({ Name, Source }) => (Source === text ? Name : `${Name} (of another text)`)).join(', ');
  const said = [uses === undefined ? '' : `it uses ${uses === '' ? 'none' : uses}`, state.loadError, state.notReady];
  throw failure('runtimeIgnores', { path, text: said.filter((part) => part !== '').join('; ') });
}

interface Loading {
  /** What it loaded; undefined when it does not tell. */
  readonly loaded: readonly { readonly Name: string; readonly Source: string }[] | undefined;
  /** Why loading went wrong; empty when it did not. */
  readonly loadError: string;
  /** Why no Pod can have a network; empty when it can. */
  readonly notReady: string;
}

function stateOf({ conditions, info }: RuntimeStatus): Loading {
  const network = conditions.find(({ type }) => type === 'NetworkReady');
  const word = info.get('lastCNILoadStatus') ?? '';
  return {
    loaded: loadedOf(info.get('cniconfig')),
    loadError: word === 'OK' ? '' : word,
    notReady: network?.status === true ? '' : [network?.reason, network?.message].filter(Boolean).join(': ') || 'it does not say why',
  };
}

function loadedOf(text: string | undefined): Loading['loaded'] {
  if (text === undefined) return undefined;
  const read = cniConfig.safeParse(parsed(text));
  if (!read.success) return undefined;
  return (read.data.Networks ?? []).map(({ Config }) => Config).filter(({ Name }) => Name !== LOOPBACK);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // another runtime's form
  }
}
