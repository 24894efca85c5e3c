/** The far side of guests' NICs: a namespace in which their taps lie on a bridge. */
import { type TestNetns, testNetns } from '../kernel/namespace.ts';

/** Goes with its namespace. */
export interface Taps extends Disposable {
  readonly ns: TestNetns;
  /** Makes a tap on the bridge; its name is what a guest's NIC takes. */
  tap(name: string): string;
}

/** A namespace with the bridge br0, which is up and may have addresses of its own. */
export function openTaps(label: string): Taps {
  const ns = testNetns(label);
  try {
    ns.ip('link add br0 type bridge');
    for (const link of ['lo', 'br0']) ns.ip(`link set ${link} up`);
  } catch (error) {
    ns[Symbol.dispose]();
    throw error;
  }
  return {
    ns,
    tap(name) {
      ns.ip(`tuntap add ${name} mode tap`);
      ns.ip(`link set ${name} up master br0`);
      return name;
    },
    [Symbol.dispose]: () => ns[Symbol.dispose](),
  };
}
