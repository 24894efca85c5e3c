/** The contract of src/cloud/cloud.ts, kept by the driver for OpenStack against a real one, with Pods' addresses as further addresses of the NIC. */
import { cloudContract } from '../cloud-contract/contract.ts';
import { sharedGround } from './driver-ground.ts';

cloudContract('openstack fixed-ips', async () => (await sharedGround()).contract('fixed-ips'));
