/** The CNI contract without a process: bad requests as a table, results in the shape of each version, frames from anywhere. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decodeFrame, decodeReply, encodeFrame, encodeReply, frameReader } from '../../src/cni/frame.ts';
import { errorReply } from '../../src/cni/reply.ts';
import { parseRequest } from '../../src/cni/request.ts';
import { type Result, resultJson } from '../../src/cni/result.ts';
import { readResult } from '../../src/cni/prev-result.ts';
import { type CniVersion, cniVersions } from '../../src/cni/versions.ts';
import { Failure, failure } from '../../src/errors/failure.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseCidr } from '../../src/net/cidr.ts';

const variables = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c1', CNI_NETNS: '/run/netns/x', CNI_IFNAME: 'eth0' };
const config = { cniVersion: '1.1.0', name: 'net', type: 'flatpod' };

function codeOf(env: Record<string, string>, stdin: string | object): number {
  const text = typeof stdin === 'string' ? stdin : JSON.stringify(stdin);
  try {
    parseRequest(new Map(Object.entries(env)), Buffer.from(text));
    return 0;
  } catch (error) {
    assert.ok(error instanceof Failure, String(error));
    return error.cni;
  }
}

const envCases: [Record<string, string>, number][] = [
  [{ CNI_COMMAND: '' }, 4],
  [{ CNI_COMMAND: 'add' }, 4],
  [{ CNI_COMMAND: 'NUKE' }, 4],
  [{ CNI_CONTAINERID: '' }, 4],
  [{ CNI_CONTAINERID: '../x' }, 4],
  [{ CNI_CONTAINERID: '.x' }, 4],
  [{ CNI_CONTAINERID: 'a b' }, 4],
  [{ CNI_CONTAINERID: 'ü' }, 4],
  [{ CNI_IFNAME: '' }, 4],
  [{ CNI_IFNAME: '.' }, 4],
  [{ CNI_IFNAME: '..' }, 4],
  [{ CNI_IFNAME: 'a/b' }, 4],
  [{ CNI_IFNAME: 'a:b' }, 4],
  [{ CNI_IFNAME: 'a b' }, 4],
  [{ CNI_IFNAME: 'sixteen-letters-' }, 4],
  [{ CNI_IFNAME: 'x'.repeat(31) }, 4],
  [{ CNI_IFNAME: 'eth%d' }, 4],
  [{ CNI_NETNS: '' }, 4],
  [{ CNI_NETNS: 'relative' }, 4],
  [{ CNI_NETNS: `/${'x'.repeat(5000)}` }, 4],
  [{ CNI_ARGS: 'A' }, 4],
  [{ CNI_ARGS: 'A=B=C' }, 4],
  [{ CNI_ARGS: '=B' }, 4],
  [{ CNI_ARGS: 'UNKNOWN=1' }, 4],
  [{ CNI_ARGS: 'IgnoreUnknown=1;UNKNOWN=1' }, 0],
  [{ CNI_ARGS: 'IP=nonsense' }, 4],
  [{ CNI_ARGS: 'MAC=nonsense' }, 4],
  [{ CNI_ARGS: 'K8S_POD_NAME=p;K8S_POD_NAMESPACE=n;IP=10.0.0.1/24' }, 0],
];

const configCases: [string | object, number][] = [
  ['', 6],
  ['{', 6],
  ['null', 6],
  ['"text"', 6],
  ['[]', 6],
  ['1', 6],
  ['['.repeat(100_000), 6],
  [`{"a":${'{"a":'.repeat(200)}1${'}'.repeat(200)}}`, 6],
  [{ ...config, name: undefined }, 7],
  [{ ...config, name: '' }, 7],
  [{ ...config, name: 5 }, 7],
  [{ ...config, name: '../x' }, 7],
  [{ ...config, cniVersion: '2.0.0' }, 1],
  [{ ...config, cniVersion: 1 }, 1],
  [{ ...config, cniVersion: '' }, 1],
  [{ ...config, cniVersion: undefined }, 0],
  [{ ...config, ipam: { type: 'host-local' } }, 7],
  [{ ...config, ipam: {} }, 0],
  [{ ...config, ipam: 'x' }, 7],
  [{ ...config, subnet: 5 }, 7],
  [{ ...config, subnet: 'UPPER' }, 7],
  [{ ...config, subnets: 'a' }, 2],
  [{ ...config, Subnet: 'a' }, 2],
  [{ ...config, mtu: -1 }, 7],
  [{ ...config, mtu: 'x' }, 7],
  [{ ...config, mtu: 70000 }, 7],
  [{ ...config, mtu: 1.5 }, 7],
  [{ ...config, mtu: 0 }, 0],
  [{ ...config, foreign: true }, 0],
  [{ ...config, runtimeConfig: 5 }, 7],
  [{ ...config, runtimeConfig: { ips: 'x' } }, 7],
  [{ ...config, runtimeConfig: { ips: ['x'] } }, 7],
  [{ ...config, runtimeConfig: { IPs: ['10.0.0.1/24'] } }, 0],
  [{ ...config, runtimeConfig: { mac: 'x' } }, 7],
  [{ ...config, runtimeConfig: { portMappings: [{ HostPort: 1, ContainerPort: 99999 }] } }, 7],
  [{ ...config, runtimeConfig: { portMappings: [{ HostPort: 80, ContainerPort: 80, Protocol: 'TCP' }] } }, 0],
  [{ ...config, runtimeConfig: { bandwidth: { IngressRate: 1e6, IngressBurst: 4294967295 } } }, 0],
  [{ ...config, dns: 'x' }, 7],
  [{ ...config, dns: { nameservers: [5] } }, 7],
  [{ ...config, prevResult: 5 }, 7],
  [{ ...config, prevResult: { ips: [{ address: 'x' }] } }, 7],
  [{ ...config, args: { cni: { ips: ['bad'] } } }, 7],
];

test('bad variables and configurations are refused with the code of the specification, good ones are not', () => {
  for (const [env, code] of envCases) assert.equal(codeOf({ ...variables, ...env }, config), code, JSON.stringify(env).slice(0, 80));
  for (const [stdin, code] of configCases) assert.equal(codeOf(variables, stdin), code, JSON.stringify(stdin).slice(0, 120));
  for (const [command, since] of [
    ['CHECK', '0.4.0'],
    ['GC', '1.1.0'],
    ['STATUS', '1.1.0'],
  ] as const) {
    for (const version of cniVersions) {
      const code = codeOf({ ...variables, CNI_COMMAND: command }, { ...config, cniVersion: version, prevResult: { ips: [] } });
      const older = cniVersions.indexOf(version) < cniVersions.indexOf(since);
      assert.equal(code, older ? 1 : 0, `${command} ${version}`);
    }
  }
  assert.equal(
    codeOf({ ...variables, CNI_COMMAND: 'DEL', CNI_NETNS: '' }, { ...config, subnets: 5, runtimeConfig: 'x' }),
    0,
    'DEL reads no more than it needs',
  );
});

test('whatever comes in, the answer is a request or a Failure', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...Object.keys(variables), 'CNI_ARGS'), fc.string()), fc.json(), (env, stdin) => {
      codeOf({ ...variables, ...env }, stdin);
    }),
  );
});

const result: Result = {
  interfaces: [
    { name: 'fp1', mac: '02:00:00:00:00:01', mtu: 1500 },
    { name: 'eth0', mac: '02:00:00:00:00:02', mtu: 1500, sandbox: '/run/netns/x' },
  ],
  ips: [
    { address: '10.20.0.9/32', gateway: parseIp('169.254.1.1'), interface: 1 },
    { address: '2001:db8::9/128', gateway: parseIp('fe80::1'), interface: 1 },
  ],
  routes: [
    { dst: parseCidr('0.0.0.0/0'), gw: parseIp('169.254.1.1') },
    { dst: parseCidr('::/0'), gw: parseIp('fe80::1') },
  ],
  dns: {},
};

test('a result has the shape of the version asked for', () => {
  const parsed = (version: CniVersion): unknown => JSON.parse(resultJson(result, version));
  const byFamily = {
    ip4: { ip: '10.20.0.9/32', gateway: '169.254.1.1', routes: [{ dst: '0.0.0.0/0', gw: '169.254.1.1' }] },
    ip6: { ip: '2001:db8::9/128', gateway: 'fe80::1', routes: [{ dst: '::/0', gw: 'fe80::1' }] },
  };
  for (const version of ['0.1.0', '0.2.0'] as const) assert.deepEqual(parsed(version), { cniVersion: version, ...byFamily });
  for (const version of ['0.3.0', '0.3.1', '0.4.0'] as const) {
    assert.deepEqual(parsed(version), {
      cniVersion: version,
      interfaces: result.interfaces.map(({ mtu: _, ...rest }) => rest),
      ips: result.ips.map((ip) => ({ version: ip.address.includes(':') ? '6' : '4', ...ip })),
      routes: result.routes,
    });
  }
  for (const version of ['1.0.0', '1.1.0'] as const) {
    assert.deepEqual(parsed(version), { cniVersion: version, interfaces: result.interfaces, ips: result.ips, routes: result.routes });
  }
  assert.throws(() => resultJson({ ...result, ips: [] }, '0.2.0'), Failure);
});

test('a result that was written is read again, as prevResult, in every version', () => {
  for (const version of cniVersions) {
    const read = readResult(JSON.parse(resultJson(result, version)), 'prevResult', version);
    assert.deepEqual(
      read.ips.map((ip) => ip.address),
      ['10.20.0.9/32', '2001:db8::9/128'],
      version,
    );
    assert.deepEqual(read.routes, result.routes, version);
  }
});

test('an error carries the version, the code on the wire, our own code and what to do', () => {
  const { status, stdout } = errorReply(failure('addressInUse', { address: '10.0.0.1', pod: 'a/b', subnet: 's' }), '0.4.0');
  assert.equal(status, 1);
  const error = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual([error['cniVersion'], error['code']], ['0.4.0', 131]);
  assert.match(String(error['msg']), /\(FP131\)$/);
  assert.match(String(error['details']), /flatpod status/);
});

test('frames survive any cutting, and arbitrary bytes are refused or read, never worse', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(40)), (stdin, cuts) => {
      const frame = encodeFrame({ variables: new Map(Object.entries(variables)), stdin });
      const reader = frameReader();
      let whole: Uint8Array | undefined;
      let at = 0;
      for (const cut of [...cuts, frame.length]) {
        const part = frame.subarray(at, Math.min(at + cut, frame.length));
        if (part.length === 0) continue;
        at += part.length;
        whole = reader.take(part);
      }
      assert.ok(whole);
      const decoded = decodeFrame(whole);
      assert.deepEqual([Object.fromEntries(decoded.variables), Buffer.from(decoded.stdin)], [variables, Buffer.from(stdin)]);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const read of [decodeFrame, decodeReply, (all: Uint8Array) => frameReader().take(all)]) {
        try {
          read(bytes);
        } catch (error) {
          assert.ok(error instanceof Failure, String(error));
        }
      }
    }),
  );
  assert.deepEqual(decodeReply(encodeReply({ status: 3, stdout: 'ä' })), { status: 3, stdout: 'ä' });
});
