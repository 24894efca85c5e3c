/** The contract of src/cloud/cloud.ts, kept by the driver for OpenStack against a real one, with either way to give Pods addresses. */
import { cloudContract } from '../cloud-contract/contract.ts';
import { sharedGround } from './driver-ground.ts';

for (const addressing of ['blocks', 'fixed-ips'] as const)
  cloudContract(`openstack ${addressing}`, async () => (await sharedGround()).contract(addressing));
