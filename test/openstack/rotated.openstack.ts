/** An application credential in a mounted clouds.yaml, exchanged while the controller runs, before a real Keystone whose tokens live for seconds. */
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { InstanceId, SubnetId } from '../../src/cloud/cloud.ts';
import { openStackCloud } from '../../src/cloud/openstack/openstack.ts';
import { keysAreExchanged } from '../clouds-under-fault/exchanged-keys.ts';
import type { Locked } from '../clouds-under-fault/rotated.ts';
import { applicationCredential, type Credential, revoke } from './accounts.ts';
import { type OpenStackBed, openStackBed } from './bed.ts';
import { lacksOpenStack } from './bed/snapshot.ts';
import { as, boot, flavor, make } from './client.ts';
import { lacksKube } from './kube-beside.ts';

/** A server has to be there within it, also beside others on the machine: Nova asks Neutron with the token that it was asked with. */
const TOKEN_s = 40;
const CLOUD = 'pods';

/** With an interface in a network of its own; they go with the bed. Sessions end as soon as other tokens: each part has one. */
async function machine(bed: OpenStackBed): Promise<{ readonly subnet: SubnetId; readonly instance: InstanceId }> {
  const type = await flavor(await as(bed, 'admin'), 'rotated', { 'flatpod:nics': '2', 'flatpod:slots': '4' });
  const demo = await as(bed, 'demo');
  const { id: network_id } = await make(demo, 'network', { name: 'rotated' });
  const { id } = await make(demo, 'subnet', { network_id, ip_version: 4, cidr: '10.20.0.0/24', enable_dhcp: false });
  const port = await make(demo, 'port', { network_id });
  // Ids are as Neutron gave them.
  return { subnet: id as SubnetId, instance: await boot(await as(bed, 'demo'), 'n1', type, port.id) };
}

async function locked(): Promise<Locked> {
  await using building = new AsyncDisposableStack();
  const bed = building.use(await openStackBed({ tokenTtl_s: TOKEN_s }));
  const [first, second] = [
    await applicationCredential(await as(bed, 'demo'), 'first'),
    await applicationCredential(await as(bed, 'demo'), 'second'),
  ];
  const fileOf = ({ id, secret }: Credential): string => {
    const auth = { auth_url: bed.authUrl, application_credential_id: id, application_credential_secret: secret };
    return JSON.stringify({ clouds: { [CLOUD]: { auth_type: 'v3applicationcredential', region_name: bed.region, auth } } });
  };
  const { subnet, instance } = await machine(bed);
  const open = building.move();
  return {
    subnet,
    configured: (cloudsFile) => ({ cloud: { type: 'openstack', cloud: CLOUD, cloudsFile }, env: {} }),
    files: [fileOf(first), fileOf(second)],
    secrets: [first.secret, second.secret],
    launch: async () => instance,
    async exchange() {
      await revoke(await as(bed, 'demo'), first);
      // Neutron may take a token as long as it lives, whatever Keystone has heard since.
      await pause(TOKEN_s * 1000 + 500);
    },
    honest: (file) => open.use(openStackCloud({ credentials: { variables: {}, cloud: CLOUD, file }, deadline_ms: 120_000 })),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

test(
  'openstack: an application credential in a mounted Secret is exchanged while the controller runs: it says that the old one is refused, goes on by the new one, and neither stands anywhere',
  { skip: lacksOpenStack() ?? lacksKube() ?? false },
  () => keysAreExchanged({ name: 'openstack', credentialsFile: 'clouds.yaml', open: locked }),
);
