/**
 * A machine of the emulated VPC that is a guest: its NICs, which the fabric here plugs into the machine's namespace, lead on to the guest by a bridge and a tap
 * each, with the MAC that the VPC gave them. The API is where clouds have theirs, at 169.254.169.254, on the first NIC's wire and nowhere else.
 */
import { execFileSync } from 'node:child_process';
import { basename } from 'node:path';
import type { Machine } from '../../src/cli/demo/lab.ts';
import { parseMac } from '../../src/net/mac.ts';
import { forward } from '../life/forward.ts';
import type { GuestNic } from './boot.ts';
import { type Guest, startGuest } from './guest.ts';
import type { GuestKernel } from './kernels.ts';

const META = '169.254.169.254';
const PORT = 80;

/** Where the VPC's API is for programs in the guest. */
export const metaUrl = `http://${META}:${PORT}`;

/** A guest that is a machine of the VPC. Its first NIC is configured as cloud-init would do it. */
export interface WiredGuest extends AsyncDisposable {
  readonly guest: Guest;
  /** Plugs in those NICs that the VPC has plugged into the machine since; vecN for its ethN. */
  plugNew(): void;
}

/** Boots a guest in the place of a machine; `apiSocket` is the path of the VPC's own socket. */
export async function wiredGuest(machine: Machine, apiSocket: string, kernel: GuestKernel): Promise<WiredGuest> {
  await using open = new AsyncDisposableStack();
  const namespace = basename(machine.netns);
  const addresses = shownBy(namespace, '-4 addr show dev eth0').flatMap(({ addr_info: infos }) => infos as AddressInfo[]);
  const gateway = shownBy(namespace, '-4 route show default')[0]?.['gateway'];
  const nics = [wire(namespace, 0)];
  ipIn(namespace, `addr add ${META}/32 dev w0`);
  for (const { local } of addresses) ipIn(namespace, `route add ${local}/32 dev w0`);
  open.use(await forward(machine.netns, PORT, apiSocket));
  const guest = open.use(await startGuest({ kernel, netns: machine.netns, nics, memory_MiB: 768 }));
  await guest.sh(
    [
      ...addresses.map(({ local, prefixlen }) => `ip addr add ${local}/${prefixlen} dev vec0`),
      'ip link set vec0 up',
      `ip route add ${META}/32 dev vec0`,
      ...(typeof gateway === 'string' ? [`ip route add default via ${gateway}`] : []),
    ].join('\n'),
  );
  const all = open.move();
  return {
    guest,
    plugNew() {
      for (let number = nics.length; hasLink(namespace, `eth${number}`); number++) {
        const nic = wire(namespace, number);
        nics.push(nic);
        guest.plug(number, nic);
      }
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

interface AddressInfo {
  readonly local: string;
  readonly prefixlen: number;
}

/**
 * Ties the machine's ethN to a new tap, with a bridge as the wire: it learns nothing, for on a trunk the same MAC is on both sides, in different VLANs, and says
 * nothing of its own. The NIC's MAC is the guest's from now on, since a bridge keeps what is sent to a MAC of its ports.
 */
function wire(namespace: string, number: number): GuestNic {
  const [nic, bridge, tap] = [`eth${number}`, `w${number}`, `t${number}`];
  const mac = parseMac(String(shownBy(namespace, `link show dev ${nic}`)[0]?.['address']));
  ipIn(namespace, `addr flush dev ${nic}`);
  ipIn(namespace, `link set dev ${nic} address ${another(mac)}`);
  ipIn(namespace, `link add ${bridge} type bridge`);
  ipIn(namespace, `tuntap add ${tap} mode tap`);
  for (const link of [nic, bridge, tap]) ipIn(namespace, `link set ${link} addrgenmode none`);
  for (const port of [nic, tap]) {
    ipIn(namespace, `link set ${port} up master ${bridge}`);
    ipIn(namespace, `link set ${port} type bridge_slave learning off`);
  }
  ipIn(namespace, `link set ${bridge} up`);
  return { tap, mac };
}

/** The MAC with another bit in its first byte, beside those that say what kind it is: the VPC's begin with any byte. */
function another(mac: string): string {
  return (Number.parseInt(mac.slice(0, 2), 16) ^ 4).toString(16).padStart(2, '0') + mac.slice(2);
}

function hasLink(namespace: string, name: string): boolean {
  return shownBy(namespace, 'link show').some(({ ifname }) => ifname === name);
}

function ipIn(namespace: string, args: string): string {
  return execFileSync('ip', ['-n', namespace, ...args.split(' ')], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** `ip -j`, parsed: its shape is what the caller knows. */
function shownBy(namespace: string, args: string): Record<string, unknown>[] {
  return JSON.parse(ipIn(namespace, `-j ${args}`)) as Record<string, unknown>[];
}
