/** What we ask a container runtime: who it is, whether it can run Pods, and which sandboxes it has. Field numbers: k8s.io/cri-api, runtime/v1/api.proto. */
import { type CallLimits, call } from './call.ts';
import { bytesIn, decodeMessage, integerField, integerIn, mapIn, type Message, messageField, textField, textIn } from './wire.ts';

/** Who answers. */
export interface RuntimeVersion {
  /** `containerd`, `cri-o`. */
  readonly name: string;
  readonly version: string;
  /** `v1`. */
  readonly api: string;
}

/** One of RuntimeReady, NetworkReady, and what a runtime adds of its own. */
export interface RuntimeCondition {
  readonly type: string;
  readonly status: boolean;
  readonly reason: string;
  readonly message: string;
}

/** How it is. */
export interface RuntimeStatus {
  readonly conditions: readonly RuntimeCondition[];
  /** Only of a verbose question. containerd: `cniconfig` (JSON: what it loaded), `lastCNILoadStatus` (`OK`, or an error), `config`. */
  readonly info: ReadonlyMap<string, string>;
}

/** A Pod, as the runtime sees it. */
export interface Sandbox {
  /** What the runtime gives a plugin as CNI_CONTAINERID. */
  readonly id: string;
  /** A sandbox that is not ready may still be stopped, which brings a DEL. */
  readonly ready: boolean;
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly attempt: number;
}

/** Asks who it is. @throws Failure as call(). */
export async function runtimeVersion(socket: string, limits?: CallLimits): Promise<RuntimeVersion> {
  const reply = decodeMessage(await call(socket, 'RuntimeService/Version', new Uint8Array(), limits));
  return { name: textIn(reply, 2), version: textIn(reply, 3), api: textIn(reply, 4) };
}

/** Asks how it is; `verbose` for more than conditions. @throws Failure as call(). */
export async function runtimeStatus(socket: string, verbose: boolean, limits?: CallLimits): Promise<RuntimeStatus> {
  const reply = decodeMessage(await call(socket, 'RuntimeService/Status', integerField(1, verbose), limits));
  const conditions = bytesIn(reply, 1)
    .flatMap((status) => bytesIn(decodeMessage(status), 1))
    .map((bytes) => conditionOf(decodeMessage(bytes)));
  return { conditions, info: mapIn(reply, 2) };
}

/** All sandboxes in any state, or the one of that id. @throws Failure as call(). */
export async function sandboxes(socket: string, id?: string, limits?: CallLimits): Promise<Sandbox[]> {
  const request = id === undefined ? new Uint8Array() : messageField(1, textField(1, id));
  const reply = decodeMessage(await call(socket, 'RuntimeService/ListPodSandbox', request, limits));
  return bytesIn(reply, 1).map((bytes) => sandboxOf(decodeMessage(bytes)));
}

function conditionOf(condition: Message): RuntimeCondition {
  return {
    type: textIn(condition, 1),
    status: integerIn(condition, 2) !== 0n,
    reason: textIn(condition, 3),
    message: textIn(condition, 4),
  };
}

function sandboxOf(sandbox: Message): Sandbox {
  const metadata = bytesIn(sandbox, 2).at(-1);
  const named: Message = metadata === undefined ? new Map() : decodeMessage(metadata);
  return {
    id: textIn(sandbox, 1),
    ready: integerIn(sandbox, 3) === 0n,
    name: textIn(named, 1),
    uid: textIn(named, 2),
    namespace: textIn(named, 3),
    attempt: Number(integerIn(named, 4)),
  };
}
