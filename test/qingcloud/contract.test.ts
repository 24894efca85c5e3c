/** The contract of src/cloud/cloud.ts, kept by the driver for QingCloud on the strict double, with the switches that nobody knows in both positions. */
import { cloudContract } from '../cloud-contract/contract.ts';
import { qingGround } from './ground.ts';
import { keyFile } from './key-file.ts';

const limits = { nics: 3, addressSlotsPerNic: 4, ipv6SlotsPerNic: 0 };

for (const nameFilter of ['whole', 'part'] as const)
  cloudContract(`qingcloud, where nic_name finds ${nameFilter} names`, async () => {
    const ground = await qingGround({ nameFilter: nameFilter === 'whole' ? 'exact' : 'contains' });
    const others = keyFile('QYNOBODY', 'wrong');
    const subnet = await ground.subnet('10.20.0.0/24', 'a');
    return {
      cloud: ground.driver({ nameFilter, nicsPerInstance: limits.nics, addressSlotsPerNic: limits.addressSlotsPerNic }),
      subnet,
      small: await ground.subnet('10.20.1.0/28', 'b'),
      instance: await ground.launch('one', subnet),
      other: await ground.launch('two', subnet),
      passing: async () => {
        const instance = await ground.launch('three', subnet);
        return { instance, end: () => ground.terminate(instance) };
      },
      limits,
      prefixes: true,
      reserved: ['10.20.0.0/32', '10.20.0.1/32', '10.20.0.255/32', '10.20.0.0/28', '10.20.0.240/28'],
      tellsHolder: true,
      multiMac: false,
      stranger: ground.driver({ credentials: { from: 'file', path: others.path } }),
      async [Symbol.asyncDispose]() {
        others[Symbol.dispose]();
        await ground[Symbol.asyncDispose]();
      },
    };
  });
