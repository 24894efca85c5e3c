/** What lies between the machines of a cluster: the emulated VPC, or a bridge for comparison. */

/** One machine's place in it. */
export interface Host {
  readonly name: string;
  /** Path of its network namespace. */
  readonly netns: string;
  /** Of its first NIC. */
  readonly address: string;
  /** As the kubelet is told it; absent where there is no cloud. */
  readonly providerId?: string;
}

/** The network of a cluster. Disposing takes it away with its namespaces, whatever happened. */
export interface Underlay extends AsyncDisposable {
  /** @throws Error when no machine is called so. */
  host(name: string): Host;
  /** The machine was switched off: nobody answers at its address. */
  unplug(name: string): Promise<void>;
  /** Its network is as after a boot: NICs plugged in, the first one configured, nothing of what the last boot left. */
  plug(name: string): Promise<void>;
}

/** Of a cluster: the control plane and its nodes. */
export function machineNames(nodes: number): { readonly control: string; readonly nodes: readonly string[] } {
  return { control: 'cp', nodes: Array.from({ length: nodes }, (_, i) => `n${i + 1}`) };
}
