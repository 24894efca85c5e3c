/** Results and errors on the wire, version by version, against literal examples of the specification. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { readResult } from '../../src/cni/prev-result.ts';
import { errorReply, resultReply, silentReply, versionReply } from '../../src/cni/reply.ts';
import { type Result, type ResultRoute, resultJson } from '../../src/cni/result.ts';
import { type CniVersion, cniVersions } from '../../src/cni/versions.ts';
import { failure } from '../../src/errors/failure.ts';
import { ipFromBigInt, parseIp } from '../../src/net/address.ts';
import { cidrOf, parseCidr } from '../../src/net/cidr.ts';

/** A dual-stack result with every field there is. */
const full: Result = {
  interfaces: [
    { name: 'fp3a91c04e7b2', mac: '02:aa:00:00:00:11', mtu: 1450 },
    { name: 'eth0', mac: '02:bb:00:00:00:11', mtu: 1450, sandbox: '/run/netns/cni-1', pciID: '0000:00:06.0' },
    { name: 'net1', sandbox: '/run/netns/cni-1', socketPath: '/run/vhost/net1.sock' },
  ],
  ips: [
    { address: '10.60.4.17/32', gateway: parseIp('169.254.1.1'), interface: 1 },
    { address: 'fd00:60:4::11/128', gateway: parseIp('fe80::1'), interface: 1 },
    { address: '10.60.4.18/32', interface: 1 },
  ],
  routes: [
    { dst: parseCidr('0.0.0.0/0'), gw: parseIp('169.254.1.1'), mtu: 1450, advmss: 1410, priority: 100, table: 254, scope: 0 },
    { dst: parseCidr('::/0') },
  ],
  dns: { nameservers: ['10.60.0.2'], domain: 'corp.example', search: ['corp.example'], options: ['ndots:2'] },
};

const byFamily = {
  ip4: { ip: '10.60.4.17/32', gateway: '169.254.1.1', routes: [{ dst: '0.0.0.0/0', gw: '169.254.1.1' }] },
  ip6: { ip: 'fd00:60:4::11/128', gateway: 'fe80::1', routes: [{ dst: '::/0' }] },
  dns: full.dns,
};
const withVersions = {
  interfaces: [
    { name: 'fp3a91c04e7b2', mac: '02:aa:00:00:00:11' },
    { name: 'eth0', mac: '02:bb:00:00:00:11', sandbox: '/run/netns/cni-1' },
    { name: 'net1', sandbox: '/run/netns/cni-1' },
  ],
  ips: [
    { version: '4', address: '10.60.4.17/32', gateway: '169.254.1.1', interface: 1 },
    { version: '6', address: 'fd00:60:4::11/128', gateway: 'fe80::1', interface: 1 },
    { version: '4', address: '10.60.4.18/32', interface: 1 },
  ],
  routes: full.routes,
  dns: full.dns,
};
const shapes: Record<CniVersion, object> = {
  '0.1.0': byFamily,
  '0.2.0': byFamily,
  '0.3.0': withVersions,
  '0.3.1': withVersions,
  '0.4.0': withVersions,
  '1.0.0': full,
  '1.1.0': full,
};

for (const version of cniVersions) {
  test(`a result in the shape of ${version}`, () => {
    assert.deepEqual(JSON.parse(resultJson(full, version)), { cniVersion: version, ...shapes[version] });
  });
}

test('what is unknown is left out; what is 0 is not', () => {
  const bare: Result = { interfaces: [], ips: [], routes: [{ dst: parseCidr('10.0.0.0/8'), table: 0, scope: 0 }], dns: {} };
  assert.equal(resultJson(bare, '1.1.0'), '{"cniVersion":"1.1.0","routes":[{"dst":"10.0.0.0/8","table":0,"scope":0}]}');
});

test('up to 0.2.0 a result without an address, and only that, cannot be said', () => {
  const bare: Result = { interfaces: [{ name: 'eth0' }], ips: [], routes: [], dns: {} };
  for (const version of ['0.1.0', '0.2.0'] as const)
    assert.throws(() => resultJson(bare, version), { kind: 'resultInexpressible', cni: 1 });
  const v6: Result = { ...bare, ips: [{ address: 'fd00::1/64' }] };
  assert.equal(resultJson(v6, '0.2.0'), '{"cniVersion":"0.2.0","ip6":{"ip":"fd00::1/64"}}');
});

test("prevResult in each version's shape is understood", () => {
  const literal = {
    cniVersion: '0.2.0',
    ip4: { ip: '10.60.4.17/24', gateway: '10.60.4.1', routes: [{ dst: '0.0.0.0/0' }, { dst: '10.61.0.0/16', gw: '10.60.4.254' }] },
    ip6: { ip: 'fd00:60:4::11/64', gateway: 'fd00:60:4::1', routes: [{ dst: '::/0' }] },
    dns: { nameservers: ['10.60.0.2'] },
  };
  const expected = {
    interfaces: [],
    ips: [
      { address: '10.60.4.17/24', gateway: '10.60.4.1' },
      { address: 'fd00:60:4::11/64', gateway: 'fd00:60:4::1' },
    ],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '10.61.0.0/16', gw: '10.60.4.254' }, { dst: '::/0' }],
    dns: { nameservers: ['10.60.0.2'] },
  };
  assert.deepEqual(readResult(literal, 'prevResult', '1.1.0'), expected);
  const { cniVersion: _, ...unsaid } = literal;
  assert.deepEqual(readResult(unsaid, 'prevResult', '0.1.0'), expected, "without a version of its own, the configuration's counts");
  assert.deepEqual(readResult({ cniVersion: '0.4.0', ...withVersions }, 'prevResult', '1.1.0'), {
    ...full,
    interfaces: withVersions.interfaces,
  });
});

test('another plugin may write addresses in any spelling, host bits into routes, empty texts and nulls', () => {
  const loose = {
    interfaces: [{ name: 'eth0', mac: '', sandbox: '' }],
    ips: [{ address: 'FD00:0::1/64', gateway: '', interface: null }],
    routes: [{ dst: '10.1.2.3/8', gw: null }],
    dns: null,
    vendor: { x: 1 },
  };
  const expected = { interfaces: [{ name: 'eth0' }], ips: [{ address: 'fd00::1/64' }], routes: [{ dst: '10.0.0.0/8' }], dns: {} };
  assert.deepEqual(readResult(loose, 'prevResult', '1.0.0'), expected);
});

/** Any result whose indices fit. */
const anyResult: fc.Arbitrary<Result> = fc
  .record({
    interfaces: fc.integer({ min: 1, max: 3 }),
    v4: fc.array(fc.nat(0xffff_ffff), { maxLength: 3 }),
    v6: fc.array(fc.bigInt(0n, (1n << 128n) - 1n), { maxLength: 3 }),
    length: fc.integer({ min: 0, max: 32 }),
    extra: fc.boolean(),
  })
  .map(({ interfaces, v4, v6, length, extra }) => {
    const all = [...v4.map((n) => ipFromBigInt(BigInt(n), 4)), ...v6.map((n) => ipFromBigInt(n, 6))];
    const [gw] = all;
    const routes: ResultRoute[] = all.map((ip) => ({
      dst: cidrOf(ip, length),
      ...(extra && gw !== undefined && { gw, priority: length, table: 0 }),
    }));
    return {
      interfaces: Array.from({ length: interfaces }, (_, i) => ({
        name: `eth${i}`,
        ...(extra && { mtu: 1500 + i, sandbox: '/run/netns/a' }),
      })),
      ips: all.map((ip, i) => ({ address: `${ip}/${length}`, ...(extra && { gateway: ip, interface: i % interfaces }) })),
      routes,
      dns: extra ? { search: ['a.example'] } : {},
    };
  });

test('a result that goes out and comes back is the same, less what its version cannot say', () => {
  fc.assert(
    fc.property(anyResult, fc.constantFrom(...cniVersions), (result, version) => {
      if (version < '0.3.0' && result.ips.length === 0) return;
      const back = readResult(JSON.parse(resultJson(result, version)), 'prevResult', version);
      if (version >= '1.0.0') assert.deepEqual(back, result);
      else if (version >= '0.3.0') assert.deepEqual({ ...back, interfaces: [] }, { ...result, interfaces: [] });
      else {
        const firsts = [4, 6].flatMap((family) => result.ips.find(({ address }) => address.includes(':') === (family === 6)) ?? []);
        assert.deepEqual(
          back.ips.map(({ address }) => address),
          firsts.map(({ address }) => address),
        );
        assert.deepEqual(back.routes.length, result.routes.length);
      }
      assert.equal(
        resultJson(back, version),
        resultJson(readResult(JSON.parse(resultJson(back, version)), 'prevResult', version), version),
      );
    }),
  );
});

test('replies: a result, silence, versions', () => {
  assert.deepEqual(silentReply, { status: 0, stdout: '' });
  const reply = resultReply(full, '0.4.0');
  assert.deepEqual([reply.status, JSON.parse(reply.stdout)], [0, { cniVersion: '0.4.0', ...withVersions }]);
  assert.equal(
    versionReply('1.0.0').stdout,
    '{"cniVersion":"1.0.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}\n',
  );
});

test('an error has the code of the specification, our number in its message, and the way out in its details', () => {
  const reply = errorReply(failure('verbNeedsVersion', { verb: 'GC', found: '0.4.0', since: '1.1.0' }), '0.4.0');
  assert.equal(reply.status, 1);
  assert.deepEqual(JSON.parse(reply.stdout), {
    cniVersion: '0.4.0',
    code: 1,
    msg: 'GC does not exist in CNI version 0.4.0 (FP107)',
    details: 'the configuration says cniVersion 0.4.0; GC came with 1.1.0; set cniVersion of the network configuration to 1.1.0 or later',
  });
});
