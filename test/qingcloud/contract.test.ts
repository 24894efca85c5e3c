/** The contract of src/cloud/cloud.ts, kept by the driver for QingCloud on the strict double, with the switches that nobody knows in both positions. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { deadlines } from '../cloud/deadlines.ts';
import { raw, type ScriptedServer, scriptedServer } from '../cloud/scripted-server.ts';
import { cloudContract } from '../cloud-contract/contract.ts';
import { qingGround } from './ground.ts';
import { keyFile } from './key-file.ts';

const limits = { nics: 3, addressSlotsPerNic: 4, ipv6SlotsPerNic: 0 };

for (const [nameFilter, refusesUnknownIds] of [
  ['whole', false],
  ['part', true],
] as const)
  cloudContract(
    `qingcloud, where nic_name finds ${nameFilter} names and an unknown id has ${refusesUnknownIds ? 'its list refused' : 'no line in its list'}`,
    async () => {
      const ground = await qingGround({ nameFilter: nameFilter === 'whole' ? 'exact' : 'contains', refusesUnknownIds });
      let metadata: ScriptedServer | undefined;
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
        expired: async (t) => {
          // Of what its metadata may take: this process, which answers for them, may be held up.
          deadlines(t);
          assert.ok((await ground.aside('PUT', '/double/switches', { roleLifetime_ms: 1 })).status < 300);
          const { body } = await ground.aside('GET', '/latest/meta-data/security-credentials');
          await sleep(10);
          // Metadata that say of a key that is over that it is good for an hour.
          const said = JSON.stringify({ ...body, expiration: Math.floor(Date.now() / 1000) + 3600 });
          metadata = await scriptedServer((_, response) => raw(said)(response));
          return ground.driver({ credentials: { from: 'role', metadata: metadata.url } });
        },
        denied: async () => {
          const changes = [
            'CreateNics',
            'AttachNics',
            'DetachNics',
            'DeleteNics',
            'AllocateVips',
            'ReleaseVips',
            'CreateTag',
            'AttachTags',
          ];
          assert.ok((await ground.aside('PUT', '/double/switches', { denied: changes })).status < 300);
          return ground.driver({ nameFilter, nicsPerInstance: limits.nics, addressSlotsPerNic: limits.addressSlotsPerNic });
        },
        pages: async () => {
          assert.ok((await ground.aside('PUT', '/double/switches', { longestPage: 5 })).status < 300);
          return 5;
        },
        lacks: {
          branching: 'QingCloud has no trunks',
          quota: 'one that is used up is told in the same words as a full vxnet',
          foreign: 'no other program marks interfaces there',
        },
        async [Symbol.asyncDispose]() {
          others[Symbol.dispose]();
          await metadata?.[Symbol.asyncDispose]();
          await ground[Symbol.asyncDispose]();
        },
      };
    },
  );
