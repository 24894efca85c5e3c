/** Clouds of somebody's own, whose servers are known by certificates in a file: by the right one they are asked, by any other not a word is sent. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { awsCloud } from '../../src/cloud/aws/aws.ts';
import type { Cloud, NicId } from '../../src/cloud/cloud.ts';
import { openStackCloud } from '../../src/cloud/openstack/openstack.ts';
import { qingCloud } from '../../src/cloud/qingcloud/qingcloud.ts';
import { type Authority, authority, type Certified } from '../kube/certificates.ts';
import { alice, json, liar } from '../openstack/driver-liar.ts';
import { keyText } from '../qingcloud/key-file.ts';
import { fails, type ScriptedServer, scriptedServer } from './scripted-server.ts';

/** A server with that certificate, and what came to it. */
interface Server extends AsyncDisposable {
  readonly url: string;
  /** How many requests came. */
  asked(): number;
}

interface Driver {
  readonly name: string;
  readonly serve: (certified: Certified) => Promise<Server>;
  readonly open: (url: string, folder: string, caFile: string | undefined) => Cloud & Disposable;
}

async function counted(answer: RequestListener, certified: Certified): Promise<Server> {
  let asked = 0;
  const server: ScriptedServer = await scriptedServer(
    (request, response) => {
      asked++;
      request.resume();
      answer(request, response);
    },
    '127.0.0.1',
    certified,
  );
  return { url: server.url, asked: () => asked, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

async function keystone(certified: Certified): Promise<Server> {
  const server = await liar({}, certified);
  server.answer = json({ ports: [] });
  const asked = (): number => server.asked.length + server.logins.length;
  return { url: server.authUrl, asked, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const noNics =
  '<DescribeNetworkInterfacesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><networkInterfaceSet/></DescribeNetworkInterfacesResponse>';
const ec2 = { region: 'eu-west-1', vpc: 'vpc-1' } as const;
const keys = { AWS_ACCESS_KEY_ID: 'AKIA0', AWS_SECRET_ACCESS_KEY: 'SECRET-0', AWS_EC2_METADATA_DISABLED: 'true' };
const serveEc2 = (certified: Certified): Promise<Server> => counted((_, response) => void response.writeHead(200).end(noNics), certified);

const drivers: readonly Driver[] = [
  {
    name: 'openstack, by OS_CACERT',
    serve: keystone,
    open: (url, _, caFile) => openStackCloud({ credentials: { variables: { ...alice(url), OS_CACERT: caFile } } }),
  },
  {
    name: 'openstack, by cacert of clouds.yaml',
    serve: keystone,
    open(url, folder, cacert) {
      const auth = { auth_url: url, username: 'alice', password: 'opensesame', project_name: 'wonderland' };
      const file = join(folder, 'clouds.yaml');
      writeFileSync(file, JSON.stringify({ clouds: { own: { region_name: 'R1', ...(cacert !== undefined && { cacert }), auth } } }));
      return openStackCloud({ credentials: { variables: {}, cloud: 'own', file } });
    },
  },
  {
    name: 'aws, by its option',
    serve: serveEc2,
    open: (endpoint, _, caFile) => awsCloud({ ...ec2, endpoint, env: keys, ...(caFile !== undefined && { caFile }) }),
  },
  {
    name: 'aws, by AWS_CA_BUNDLE',
    serve: serveEc2,
    open: (endpoint, _, caFile) => awsCloud({ ...ec2, endpoint, env: { ...keys, AWS_CA_BUNDLE: caFile } }),
  },
  {
    name: 'qingcloud',
    serve: (certified) => counted((_, response) => json({ ret_code: 0, nic_set: [], total_count: 0 })(response), certified),
    open(url, folder, caFile) {
      const path = join(folder, 'config.yaml');
      writeFileSync(path, keyText('KEY', 'SECRET'));
      const credentials = { from: 'file', path } as const;
      return qingCloud({ credentials, endpoint: `${url}/iaas`, zone: 'pek3a', ...(caFile !== undefined && { caFile }) });
    },
  },
];

const nobody = (cloud: Cloud) => cloud.nics({ ids: ['fa:16:3e:00:00:01' as NicId] });

for (const { name, serve, open } of drivers)
  test(`${name}: a server by an authority of one’s own is asked; one that is unknown, expired or of another name is told nothing`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fptls-'));
    try {
      const [own, another] = [authority(), authority()];
      const pem = (who: Authority): string => {
        const path = join(folder, 'ca.pem');
        writeFileSync(path, who.certificate);
        return path;
      };
      const refused = async (certified: Certified, caFile: string | undefined, words: RegExp): Promise<void> => {
        await using server = await serve(certified);
        using cloud = open(server.url, folder, caFile);
        await assert.rejects(nobody(cloud), fails('cloudUntrusted', words));
        assert.equal(server.asked(), 0);
      };
      const good = own.issue('server', '127.0.0.1');
      await refused(good, undefined, /UNABLE_TO_VERIFY_LEAF_SIGNATURE/);
      await refused(good, pem(another), /CERT_SIGNATURE_FAILURE|UNABLE_TO/);
      await refused(own.expired('server', '127.0.0.1'), pem(own), /expired, by our clock, which says \d{4}-.*CERT_HAS_EXPIRED/);
      await refused(own.issue('server', 'api.example.org'), pem(own), /ERR_TLS_CERT_ALTNAME_INVALID/);

      await using server = await serve(good);
      using cloud = open(server.url, folder, pem(another));
      await assert.rejects(nobody(cloud), fails('cloudUntrusted'));
      // The file is exchanged while it runs, as a Secret is.
      pem(own);
      assert.deepEqual(await nobody(cloud), []);
      assert.ok(server.asked() > 0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

for (const { name, serve, open } of drivers)
  test(`${name}: a file without certificates, or none at all, is named`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fptls-'));
    try {
      await using server = await serve(authority().issue('server', '127.0.0.1'));
      const file = join(folder, 'ca.pem');
      for (const [write, words] of [
        [() => undefined, /ca\.pem cannot be read: ENOENT/],
        [() => writeFileSync(file, 'no certificate'), /ca\.pem has no certificate in it/],
      ] as const) {
        write();
        using cloud = open(server.url, folder, file);
        const kind = name.startsWith('openstack') ? 'cloudCredentials' : 'cloudUntrusted';
        await assert.rejects(nobody(cloud), fails(kind, words));
      }
      assert.equal(server.asked(), 0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
