/** Plays the kubelet: the calls of the CRI that make and unmake Pods. Field numbers: k8s.io/cri-api, runtime/v1/api.proto. */
import { call } from '../../src/cri/call.ts';
import { bytesIn, decodeMessage, integerField, integerIn, mapField, messageField, textField, textIn } from '../../src/cri/wire.ts';
import { images } from './image.ts';

/** A sandbox pulls, mounts, starts and runs plugins; the machine may be busy with other things. */
const limits = { deadline_ms: 60_000 };

/** What a Pod is to be. */
export interface PodWish {
  readonly name: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ports?: readonly { readonly host: number; readonly container: number }[];
  /** From the root of the cgroups. */
  readonly cgroup: string;
}

/** A sandbox that was made. */
export interface Pod {
  readonly id: string;
  readonly wish: PodWish;
}

/** How a command in a container ended. */
export interface Executed {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** RunPodSandbox. `signal`: the client goes away early. @throws Failure runtimeRefused with containerd's text. */
export async function runPod(socket: string, wish: PodWish, signal?: AbortSignal): Promise<Pod> {
  const request = messageField(1, ...sandboxConfig(wish));
  const reply = await call(socket, 'RuntimeService/RunPodSandbox', request, { ...limits, ...(signal !== undefined && { signal }) });
  return { id: textIn(decodeMessage(reply), 1), wish };
}

/** The Pod's addresses as the kubelet would report them, the main one first. */
export async function podAddresses(socket: string, { id }: Pod): Promise<string[]> {
  const reply = decodeMessage(await call(socket, 'RuntimeService/PodSandboxStatus', textField(1, id), limits));
  return bytesIn(reply, 1)
    .flatMap((status) => bytesIn(decodeMessage(status), 5))
    .flatMap((bytes) => {
      const network = decodeMessage(bytes);
      return [textIn(network, 1), ...bytesIn(network, 2).map((more) => textIn(decodeMessage(more), 1))];
    });
}

/** CreateContainer and StartContainer of busybox with that command; its id. */
export async function runContainer(socket: string, pod: Pod, name: string, command: readonly string[]): Promise<string> {
  const config = [
    messageField(1, textField(1, name)),
    messageField(2, textField(1, images.busybox)),
    ...command.map((word) => textField(3, word)),
    // No security context leaves the namespaces to the runtime's defaults: the Pod's.
    messageField(15),
  ];
  const request = Buffer.concat([textField(1, pod.id), messageField(2, ...config), messageField(3, ...sandboxConfig(pod.wish))]);
  const id = textIn(decodeMessage(await call(socket, 'RuntimeService/CreateContainer', request, limits)), 1);
  await call(socket, 'RuntimeService/StartContainer', textField(1, id), limits);
  return id;
}

/** ExecSync. */
export async function exec(socket: string, container: string, ...command: readonly string[]): Promise<Executed> {
  const request = Buffer.concat([textField(1, container), ...command.map((word) => textField(2, word)), integerField(3, 30)]);
  const reply = decodeMessage(await call(socket, 'RuntimeService/ExecSync', request, limits));
  return { status: Number(integerIn(reply, 3)), stdout: textIn(reply, 1), stderr: textIn(reply, 2) };
}

/** StopPodSandbox: stops its containers, then has the network taken away. */
export async function stopPod(socket: string, id: string): Promise<void> {
  await call(socket, 'RuntimeService/StopPodSandbox', textField(1, id), limits);
}

/** RemovePodSandbox. */
export async function removePod(socket: string, id: string): Promise<void> {
  await call(socket, 'RuntimeService/RemovePodSandbox', textField(1, id), limits);
}

/** How many containers the runtime knows of, in whatever state. */
export async function containerCount(socket: string): Promise<number> {
  return bytesIn(decodeMessage(await call(socket, 'RuntimeService/ListContainers', new Uint8Array(), limits)), 1).length;
}

function sandboxConfig({ name, annotations = {}, ports = [], cgroup }: PodWish): Uint8Array[] {
  const [POD, CONTAINER, TCP] = [0, 1, 0];
  const namespaces = messageField(1, integerField(1, POD), integerField(2, CONTAINER));
  return [
    messageField(1, textField(1, name), textField(2, `uid-${name}`), textField(3, 'default')),
    textField(2, name),
    ...ports.map(({ host, container }) => messageField(5, integerField(1, TCP), integerField(2, container), integerField(3, host))),
    mapField(7, annotations),
    messageField(8, textField(1, cgroup), messageField(2, namespaces)),
  ];
}
