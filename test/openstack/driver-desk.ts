/** One test's place on the shared ground: drivers that reach the bed through a proxy which counts and loses, requests of its own, and a clean end. */
import type { CreateNic } from '../../src/cloud/cloud.ts';
import { type OpenStackCloud, openStackCloud, type OpenStackOptions } from '../../src/cloud/openstack/openstack.ts';
import { type DriverGround, sharedGround } from './driver-ground.ts';
import { type LossyProxy, lossyProxy } from './driver-proxy.ts';

/** A port of Neutron's, as far as the tests look at it. */
export interface RawPort {
  readonly id: string;
  readonly name: string;
  readonly device_owner: string;
  readonly device_id: string;
  readonly admin_state_up: boolean;
  readonly tags: string[];
  readonly fixed_ips: { readonly ip_address: string }[];
  readonly allowed_address_pairs: { readonly ip_address: string }[];
  readonly security_groups: string[];
}

/** See the head of this file. */
export interface Desk extends AsyncDisposable {
  readonly ground: DriverGround;
  readonly proxy: LossyProxy;
  /** A driver that knows nothing of what others began: as after a kill. */
  readonly open: (options?: Partial<OpenStackOptions>) => OpenStackCloud;
  /** A NIC in the ground's subnet that no other request is for. */
  readonly request: (more?: Partial<CreateNic>) => CreateNic;
  /** What the drivers made in the ground's network, as Neutron has it. */
  readonly ports: () => Promise<RawPort[]>;
}

let tokens = 0;

/** `name`: what its NICs are tagged with as their cluster. */
export async function desk(name: string): Promise<Desk> {
  const ground = await sharedGround();
  const proxy = await lossyProxy(ground.bed.authUrl);
  const drivers = new DisposableStack();
  return {
    ground,
    proxy,
    open(options = {}) {
      const variables = { ...ground.bed.environment('demo'), OS_AUTH_URL: proxy.authUrl };
      return drivers.use(openStackCloud({ credentials: { variables }, deadline_ms: 120_000, ...options }));
    },
    request: (more = {}) => ({
      clientToken: `${name}-${process.pid}-${++tokens}-${Date.now()}`,
      subnet: ground.subnet,
      securityGroups: [],
      tags: { 'flatpod.dev/cluster': name },
      description: name,
      ...more,
    }),
    async ports() {
      const all: RawPort[] = (await ground.demo.network('GET', `/ports?network_id=${ground.network}`)).body.ports;
      return all.filter(({ tags }) => tags.length > 0);
    },
    async [Symbol.asyncDispose]() {
      drivers.dispose();
      await proxy[Symbol.asyncDispose]();
      await ground.clean();
    },
  };
}
