/**
 * A cloud as quick as can be: the part of the emulated VPC's API that the controller uses (src/cloud/vpc), from memory, and it counts the calls. The emulated
 * VPC itself ends at 1000 instances and 5000 interfaces.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';

/** Of every instance. 30 Pods need one interface beside the first. */
const limits = { nics: 8, addressSlotsPerNic: 50, ipv6SlotsPerNic: 50 };
const PAGE = 1000;
/** Instances are in subnet `nodes`, Pods' interfaces in others. */
const NODES = 'subnet-nodes';

interface Nic {
  readonly id: string;
  readonly mac: string;
  readonly subnet: string;
  readonly mtu: number;
  readonly primary4: string;
  blocks: string[];
  readonly securityGroups: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
  attachment?: { readonly instance: string; readonly deviceIndex: number; readonly state: 'attached' };
  readonly createdAt_ms: number;
}

interface Wanted {
  readonly addresses4?: number;
}

/** It, serving. */
export interface SimulatedCloud {
  /** Calls so far, by the name the API's document gives them. */
  readonly calls: ReadonlyMap<string, number>;
  /** A running instance. */
  launch(id: string): void;
  /** What the interfaces of the instance hold for Pods: to be compared with what its agent was told. */
  held(instance: string): string[];
  close(): void;
}

/** A /16, from which addresses are given one after the other; those given back come last. */
class Subnet {
  readonly #second: number;
  readonly #free: string[] = [];
  #next = 4;
  constructor(second: number) {
    this.#second = second;
  }
  get cidr(): string {
    return `10.${this.#second}.0.0/16`;
  }
  get free(): number {
    return 65_535 - this.#next + this.#free.length;
  }
  take(): string {
    if (this.#next === 65_535) return this.#free.shift() ?? '';
    const [third, last] = [this.#next >> 8, this.#next++ & 255];
    return `10.${this.#second}.${third}.${last}`;
  }
  give(ip: string): void {
    this.#free.push(ip);
  }
}

/** Serves at the socket. `pods`: names of the subnets for Pods. */
export async function simulatedCloud(socket: string, pods: readonly string[]): Promise<SimulatedCloud> {
  const subnets = new Map([NODES, ...pods].map((name, i) => [name, new Subnet(i + 16)]));
  const nics = new Map<string, Nic>();
  const byInstance = new Map<string, Nic[]>();
  const byNode = new Map<string, Nic[]>();
  const byToken = new Map<string, Nic>();
  const calls = new Map<string, number>();
  let made = 0;

  function nic(subnet: string, tags: Nic['tags']): Nic {
    const number = (++made).toString(16).padStart(8, '0');
    const mac = `02:00:${number.replace(/..(?!$)/g, '$&:')}`;
    const primary4 = subnets.get(subnet)?.take() ?? '';
    const one: Nic = {
      id: `nic-${number}`,
      mac,
      subnet,
      mtu: 1500,
      primary4,
      blocks: [],
      securityGroups: ['sg-1'],
      tags,
      createdAt_ms: Date.now(),
    };
    nics.set(one.id, one);
    const node = tags['flatpod.dev/node'];
    if (node !== undefined) byNode.set(node, [...(byNode.get(node) ?? []), one]);
    return one;
  }
  function plug(one: Nic, instance: string, deviceIndex: number): void {
    one.attachment = { instance, deviceIndex, state: 'attached' };
    byInstance.set(instance, [...(byInstance.get(instance) ?? []), one]);
  }
  function unplug(one: Nic): void {
    const { instance = '' } = one.attachment ?? {};
    byInstance.set(
      instance,
      (byInstance.get(instance) ?? []).filter((other) => other !== one),
    );
    delete one.attachment;
  }
  function grow(one: Nic, { addresses4 = 0 }: Wanted): string[] {
    const subnet = subnets.get(one.subnet);
    const added = Array.from({ length: addresses4 }, () => `${subnet?.take() ?? ''}/32`);
    one.blocks = [...one.blocks, ...added];
    return added;
  }
  const instanceOf = (id: string): object => ({
    id,
    zone: 'zone-a',
    type: 'simulated',
    limits,
    state: byInstance.has(id) ? 'running' : 'terminated',
  });
  const subnetOf = (id: string): object[] => {
    const one = subnets.get(id);
    if (one === undefined) return [];
    return [{ id, zone: 'zone-a', cidr4: one.cidr, gateway4: one.cidr.replace('0.0/16', '0.1'), free4: one.free }];
  };
  /** All conditions hold; several values of one are alternatives. */
  function selected(query: URLSearchParams): Nic[] {
    const [ids, instances] = [query.getAll('id'), query.getAll('instance')];
    const nodes = query.getAll('tag').flatMap((tag) => (tag.startsWith('flatpod.dev/node=') ? tag.slice(17) : []));
    if (ids.length > 0) return ids.flatMap((id) => nics.get(id) ?? []);
    if (instances.length > 0) return instances.flatMap((id) => byInstance.get(id) ?? []);
    if (nodes.length > 0) return nodes.flatMap((node) => byNode.get(node) ?? []);
    return [...nics.values()].filter(({ tags }) => Object.keys(tags).length > 0);
  }
  function page(all: readonly { readonly id: string }[], query: URLSearchParams): object {
    const after = query.get('after') ?? '';
    const rest = all.filter(({ id }) => id > after).toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const items = rest.slice(0, PAGE);
    return rest.length > PAGE ? { items, next: items.at(-1)?.id } : { items };
  }

  function answer(method: string, path: readonly string[], query: URLSearchParams, body: unknown): readonly [name: string, body?: object] {
    const [kind = '', id = '', verb = ''] = path;
    // The controller's driver is tested against the API's document; here its word is taken.
    const sent = body as Record<string, never>;
    if (kind === 'network') return ['GetNetwork', { cidrs: ['10.0.0.0/8'] }];
    if (kind === 'subnets') return ['ListSubnets', { items: query.getAll('id').flatMap(subnetOf) }];
    if (kind === 'instances')
      return id === '' ? ['ListInstances', { items: query.getAll('id').map(instanceOf) }] : ['GetInstance', instanceOf(id)];
    if (method === 'GET') return ['ListNics', page(selected(query), query)];
    if (id === '') {
      const { clientToken = '', subnet = '', tags = {}, want = {} } = sent;
      const one = byToken.get(clientToken) ?? nic(subnet, tags);
      if (!byToken.has(clientToken)) grow(one, want);
      byToken.set(clientToken, one);
      return ['CreateNic', one];
    }
    const one = nics.get(id);
    if (one === undefined) throw new Error(`there is no ${id}`);
    return changed(method === 'DELETE' ? 'delete' : verb, one, sent);
  }
  function changed(verb: string, one: Nic, sent: Record<string, never>): readonly [name: string, body?: object] {
    switch (verb) {
      case 'attach':
        plug(one, sent['instance'] ?? '', sent['deviceIndex'] ?? 0);
        return ['AttachNic'];
      case 'detach':
        unplug(one);
        return ['DetachNic'];
      case 'assign':
        return ['AssignAddresses', { blocks: grow(one, sent['want'] ?? {}) }];
      case 'unassign': {
        const gone = new Set<string>(sent['blocks'] ?? []);
        for (const block of gone) subnets.get(one.subnet)?.give(block.replace('/32', ''));
        one.blocks = one.blocks.filter((block) => !gone.has(block));
        return ['UnassignAddresses'];
      }
      case 'delete':
        nics.delete(one.id);
        return ['DeleteNic'];
      default:
        throw new Error(`there is no call ${verb}`);
    }
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://cloud');
    const text = Buffer.concat(parts).toString();
    const [name, body] = answer(request.method ?? '', pathname.split('/').slice(2), searchParams, text === '' ? {} : JSON.parse(text));
    calls.set(name, (calls.get(name) ?? 0) + 1);
    if (body === undefined) response.writeHead(204).end();
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      console.error(`the simulated cloud: ${String(error)}`);
      response.destroy();
    });
  }).listen(socket);
  await once(server, 'listening');
  return {
    calls,
    launch: (id) => plug(nic(NODES, {}), id, 0),
    held: (instance) => (byInstance.get(instance) ?? []).flatMap(({ blocks }) => blocks),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
