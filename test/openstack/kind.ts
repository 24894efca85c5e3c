/** A real Neutron and Nova as a cloud that a controller is put in front of: a network of its own each time it is opened. */
import type { InstanceId, SubnetId } from '../../src/cloud/cloud.ts';
import { openStackCloud } from '../../src/cloud/openstack/openstack.ts';
import { type Kind, type Site, type Size, sizes } from '../clouds-under-fault/fronts.ts';
import type { OpenStackBed } from './bed.ts';
import { as, boot, endServer, flavor, make, removeNetworks } from './client.ts';
import { openStackDialect } from './dialect.ts';

/** Of that bed; what is opened is gone with its disposal. Servers may have an interface more than their size says. */
export function openStackKind(bed: OpenStackBed): Kind {
  return { name: 'openstack', dialect: openStackDialect(bed.authUrl), open: (_, size) => open(bed, size) };
}

async function open(bed: OpenStackBed, size: Size): Promise<Site> {
  const [admin, demo] = [await as(bed, 'admin'), await as(bed, 'demo')];
  const { nics, slots } = sizes[size];
  const type = await flavor(admin, 'faults', { 'flatpod:nics': String(nics + 1), 'flatpod:slots': String(slots) });
  const { id: network } = await make(demo, 'network', { name: 'faults' });
  // Neutron gives at random: the last address is nobody's, for tests that want it.
  const pools = [{ start: '10.20.0.2', end: '10.20.0.253' }];
  const four = { network_id: network, ip_version: 4, cidr: '10.20.0.0/24', enable_dhcp: false, allocation_pools: pools };
  const { id: subnet } = await make(demo, 'subnet', four);
  const servers = new Map<InstanceId, string>();
  const terminate = async (server: InstanceId): Promise<void> => {
    await endServer(demo, server);
    await demo.network('DELETE', `/ports/${servers.get(server)}`);
    servers.delete(server);
  };
  const variables = (url: string): Record<string, string> => ({
    ...bed.environment('demo'),
    OS_AUTH_URL: url === bed.authUrl ? url : `${url}/identity/v3`,
  });
  return {
    server: bed.authUrl,
    // Ids are as Neutron and Nova gave them.
    subnet: subnet as SubnetId,
    driver: (url, deadline_ms = 120_000) => openStackCloud({ credentials: { variables: variables(url) }, deadline_ms }),
    configured: (url) => ({ cloud: { type: 'openstack' }, env: variables(url) }),
    async launch(name) {
      const port = await make(demo, 'port', { network_id: network });
      const server = await boot(demo, name, type, port.id);
      servers.set(server, port.id);
      return server;
    },
    terminate,
    async [Symbol.asyncDispose]() {
      for (const server of servers.keys()) await terminate(server);
      await removeNetworks(demo, [network]);
      await admin.compute('DELETE', `/flavors/${type}`);
    },
  };
}
