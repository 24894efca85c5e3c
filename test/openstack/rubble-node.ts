/** A node of the rubble session: a server of Nova's that is a guest, in which the agent and cnitool run as a person would start them. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestKernel } from '../guest/kernels.ts';
import { type WiredGuest, wiredGuest } from '../guest/wired.ts';
import { forward } from '../life/forward.ts';
import { eventually } from '../life/lab.ts';
import { programs } from '../programs.ts';

/** Where programs in the guest find what listens on loopback here. */
const OUTSIDE = '169.254.169.254';
const PLUG_EVERY_ms = 500;
const LOG = '/run/agent.log';

/** What it is made of. */
export interface RubbleNodePlan {
  readonly name: string;
  readonly id: string;
  readonly netns: string;
  readonly address: string;
  /** The VPC's. */
  readonly apiSocket: string;
  /** Of OpenStack's services, on loopback here and there: its catalogue names them so. */
  readonly ports: readonly number[];
  readonly kernel: GuestKernel;
}

/** How a call of cnitool ended. */
export interface Called {
  readonly status: number;
  readonly output: string;
}

/** A node. */
export interface RubbleNode extends AsyncDisposable {
  readonly name: string;
  /** Nova's id. */
  readonly server: string;
  /** A shell's output. @throws Error with what it printed when it fails. */
  sh(script: string): Promise<string>;
  /** The same, however it ends. */
  trySh(script: string, limit_s?: number): Promise<Called>;
  /** Starts the agent with those variables and options; it need not be ready when this returns. */
  startAgent(env: Readonly<Record<string, string>>, options: string): Promise<void>;
  /** Ends it in good order. */
  stopAgent(): Promise<void>;
  /** The last lines that it logged. */
  log(): Promise<string>;
  /** cnitool for a Pod of namespace shop, whose network namespace has the Pod's name and is made when it is not there. */
  cnitool(verb: 'add' | 'check' | 'del', pod: string): Promise<Called>;
}

/** Boots it: its first interface is configured, OpenStack can be reached, and NICs that Nova attaches are plugged in from now on. */
export async function rubbleNode({ name, id, netns, address, apiSocket, ports, kernel }: RubbleNodePlan): Promise<RubbleNode> {
  await using open = new AsyncDisposableStack();
  const wired = open.use(await wiredGuest({ name, id, netns, addresses: [address] }, apiSocket, kernel));
  const { guest } = wired;
  for (const port of ports) open.use(await forward(netns, port, { host: '127.0.0.1', port }));
  await guest.sh(`hostname ${name}
mkdir -p /etc/flatpod
sysctl -qw net.ipv4.conf.all.route_localnet=1
nft -f - <<'END'
table ip doors {
  chain output { type nat hook output priority -100; ip daddr 127.0.0.1 tcp dport { ${ports.join(', ')} } dnat to ${OUTSIDE}; }
  chain postrouting { type nat hook postrouting priority srcnat; ip saddr 127.0.0.1 ip daddr ${OUTSIDE} masquerade; }
}
END`);
  open.use(plugging(wired));
  const all = open.move();
  const trySh = (script: string, limit_s = 60): Promise<Called> => guest.run(['/bin/sh', '-ec', script], { limit_s });
  const node: RubbleNode = {
    name,
    server: id,
    sh: (script) => guest.sh(script),
    trySh,
    async startAgent(env, options) {
      const variables = Object.entries(env).map(([key, value]) => `export ${key}='${value}'\n`);
      await guest.sh(`${variables.join('')}bin/flatpod agent ${options} >>${LOG} 2>&1 &\necho $! >/run/agent.pid`);
    },
    async stopAgent() {
      await guest.sh('kill $(cat /run/agent.pid)');
      await eventually(`the agent of ${name} ends`, () => guest.sh('test ! -e /proc/$(cat /run/agent.pid)'), 60);
    },
    log: () => guest.sh(`tail -n 40 ${LOG}`),
    cnitool: (verb, pod) =>
      trySh(`[ -e /run/netns/${pod} ] || ip netns add ${pod}
export CNI_PATH=/opt/cni/bin CNI_ARGS='K8S_POD_NAMESPACE=shop;K8S_POD_NAME=${pod}'
${programs.cnitool()} ${verb} flatpod /var/run/netns/${pod}`),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
  assert.equal((await guest.sh('hostname')).trim(), name);
  return node;
}

/** A hypervisor plugs in by itself what is attached; here somebody has to look. */
function plugging(wired: WiredGuest): AsyncDisposable {
  const stop = new AbortController();
  const loop = (async () => {
    while (!stop.signal.aborted) {
      wired.plugNew();
      await sleep(PLUG_EVERY_ms, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  })();
  // Whoever disposes of it hears of its failure.
  loop.catch(() => undefined);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await loop;
    },
  };
}
