/** The contract of src/cloud/cloud.ts, kept by the driver for OpenStack against a real one, where each Pod's address has a port. */
import { cloudContract } from '../cloud-contract/contract.ts';
import { sharedGround } from './driver-ground.ts';

cloudContract('openstack ports', async () => (await sharedGround()).contract('ports'));
