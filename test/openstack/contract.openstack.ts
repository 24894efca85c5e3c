/**
 * The contract of src/cloud/cloud.ts, kept by the driver for OpenStack against a real one, with Pods' addresses in blocks. The other ways to give addresses
 * have files of their own beside this one, since each takes minutes.
 */
import { cloudContract } from '../cloud-contract/contract.ts';
import { sharedGround } from './driver-ground.ts';

cloudContract('openstack blocks', async () => (await sharedGround()).contract('blocks'));
