/** Addresses that somebody else put on a port before ours came to it, before a Neutron that keeps one port. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import type { NicId, Wanted } from '../../src/cloud/cloud.ts';
import type { Addressing } from '../../src/cloud/openstack/context.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { type Asked, json, type Liar, liar } from './driver-liar.ts';

const id = 'd0000000-0000-4000-8000-000000000001' as NicId;
const server = 'c0000000-0000-4000-8000-000000000001';
const network = 'b0000000-0000-4000-8000-000000000001';
const four = 'a0000000-0000-4000-8000-000000000004';
const six = 'a0000000-0000-4000-8000-000000000006';
const subnets = [
  {
    id: four,
    network_id: network,
    cidr: '10.20.0.0/24',
    gateway_ip: '10.20.0.1',
    allocation_pools: [{ start: '10.20.0.2', end: '10.20.0.254' }],
  },
  { id: six, network_id: network, cidr: '2001:db8:20::/64', gateway_ip: null, allocation_pools: [] },
];

interface Fixed {
  readonly subnet_id: string;
  readonly ip_address?: string;
}

/** The server's own port, with these addresses and words; the first that Neutron chooses is 10.20.0.77. */
class OnePort {
  fixed_ips: Fixed[];
  tags: string[];
  revision = 3;
  last = 76;

  constructor(addresses: readonly string[], tags: readonly string[]) {
    this.fixed_ips = addresses.map((ip_address) => ({ subnet_id: ip_address.includes(':') ? six : four, ip_address }));
    this.tags = [...tags];
  }

  get addresses(): string[] {
    return this.fixed_ips.flatMap(({ ip_address }) => ip_address ?? []).toSorted();
  }

  readonly answer = (response: ServerResponse, { method, path, body }: Pick<Asked, 'method' | 'path' | 'body'>): void => {
    if (method === 'PUT') this.#change(JSON.parse(body));
    if (path.includes('/servers/')) return json({ server: { id: server, status: 'ACTIVE', flavor: { original_name: 'm1' } } })(response);
    if (path.includes('/subnets?')) return json({ subnets })(response);
    if (path.includes('/networks?')) return json({ networks: [] })(response);
    if (path.endsWith('/tags')) return json({ tags: this.tags })(response);
    if (path.includes(`/ports/${id}`)) return json({ port: this.#shown() })(response);
    const isAsked = path.includes(`?id=${id}`) || path.includes(`&id=${id}`) || this.fixed_ips.some((one) => path.includes(one.subnet_id));
    return json({ ports: isAsked ? [this.#shown()] : [] })(response);
  };

  #shown(): object {
    const { fixed_ips, tags, revision: revision_number } = this;
    const fields = { network_id: network, mac_address: 'fa:16:3e:00:00:01', status: 'ACTIVE', device_id: server };
    return { id, ...fields, device_owner: 'compute:nova', fixed_ips, tags, revision_number, created_at: '2026-11-22T04:14:00Z' };
  }

  /** As Neutron does: without an address it chooses one. */
  #change({ port, tags }: { readonly port?: { readonly fixed_ips: Fixed[] }; readonly tags?: string[] }): void {
    this.revision++;
    this.tags = tags ?? this.tags;
    this.fixed_ips = port?.fixed_ips.map((one) => ({ ...one, ip_address: one.ip_address ?? `10.20.0.${++this.last}` })) ?? this.fixed_ips;
  }
}

async function withPort(
  addressing: Addressing,
  addresses: readonly string[],
  tags: readonly string[] = [],
): Promise<{ readonly one: Liar; readonly port: OnePort }> {
  const port = new OnePort(addresses, tags);
  const one = await liar({ addressing: () => addressing });
  one.answer = port.answer;
  return { one, port };
}

for (const [addressing, want, given] of [
  ['fixed-ips', { addresses4: 1 }, '10.20.0.77/32'],
  ['fixed-ips', { these: [parseCidr('10.20.0.9/32')] }, '10.20.0.9/32'],
  ['blocks', { these: [parseCidr('2001:db8:20::9/128')] }, '2001:db8:20::9/128'],
] as const satisfies readonly (readonly [Addressing, Wanted, string])[])
  test(`${addressing}: ${given} comes and goes, and the addresses that somebody else put on the port stay there, theirs`, async () => {
    const theirs = ['10.20.0.5', '10.20.0.6', '2001:db8:20::5', '2001:db8:20::6'];
    const { one, port } = await withPort(addressing, theirs);
    await using _ = one;
    const block = parseCidr(given);
    assert.deepEqual(await one.cloud.assign(id, want), [block]);
    const now = [...theirs, given.replace(/\/.*/, '')].toSorted();
    assert.deepEqual(port.addresses, now);
    const seen = async () =>
      (await one.cloud.nics({ ids: [id] })).flatMap(({ primary4, primary6, blocks }) => [primary4, primary6, ...blocks]);
    assert.deepEqual(await seen(), ['10.20.0.5', '2001:db8:20::5', block]);
    await one.cloud.unassign(id, [block]);
    assert.deepEqual(port.addresses, theirs);
    assert.deepEqual(await seen(), ['10.20.0.5', '2001:db8:20::5']);
  });

test('an address that somebody else had on the port and took away may become a Pod’s there', async () => {
  const { one, port } = await withPort('fixed-ips', ['10.20.0.5', '10.20.0.77'], ['a=b', 'fp:primary4=10.20.0.5', 'fp:theirs=10.20.0.77']);
  await using _ = one;
  assert.deepEqual((await one.cloud.nics({ ids: [id] }))[0]?.blocks, []);
  port.fixed_ips = port.fixed_ips.slice(0, 1);
  assert.deepEqual(await one.cloud.assign(id, { addresses4: 1 }), ['10.20.0.77/32']);
  assert.deepEqual((await one.cloud.nics({ ids: [id] }))[0]?.blocks, ['10.20.0.77/32']);
  assert.deepEqual(port.tags, ['a=b', 'fp:primary4=10.20.0.5']);
});

test('an address of a family that came to the port later is its own too, and what follows it is ours', async () => {
  const { one, port } = await withPort('blocks', ['10.20.0.5', '2001:db8:20::5'], ['fp:primary4=10.20.0.5']);
  await using _ = one;
  const these = [parseCidr('2001:db8:20::9/128')];
  await one.cloud.assign(id, { these });
  assert.deepEqual((await one.cloud.nics({ ids: [id] }))[0]?.blocks, these);
  assert.ok(
    port.tags.some((word) => word.startsWith('fp:primary6=')),
    port.tags.join(),
  );
});
