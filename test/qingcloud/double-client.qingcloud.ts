/** The double is understood by QingCloud's own client, whose authors never saw it: what it sends is taken, what it is answered has a place in its types. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { programs } from '../programs.ts';
import { key, qingcloudDouble, zone } from './double.ts';

interface Heard {
  // Tests look into answers of every shape; assertions say what they expect.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly output?: any;
  readonly unknown?: string;
  readonly code?: number;
  readonly message?: string;
}

interface Client extends AsyncDisposable {
  /** A call that must succeed; `beside` is the one field that the client has no place for. */
  ok(service: string, call: string, input?: object, beside?: string): Promise<Heard['output']>;
  refused(service: string, call: string, input?: object): Promise<number | undefined>;
  wait(job: string): Promise<Heard>;
}

async function client(url: string, secret = key.secretAccessKey): Promise<Client> {
  const home = mkdtempSync(join(tmpdir(), 'fpq-'));
  const child = spawn(programs.qingcloudClient(), [`${url}/iaas`, key.accessKeyId, secret, zone], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { HOME: home },
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const ask = async (line: object): Promise<Heard> => {
    child.stdin.write(`${JSON.stringify(line)}\n`);
    const { value, done } = await lines.next();
    assert.equal(done, false, 'the client ended');
    return JSON.parse(value) as Heard;
  };
  return {
    async ok(service, call, input = {}, beside) {
      const { output, unknown = '', code, message } = await ask({ service, call, input });
      assert.equal(code, undefined, `${call}: ${code} ${message}`);
      assert.equal(unknown, beside === undefined ? '' : `json: unknown field "${beside}"`, call);
      assert.equal(output.ret_code, 0);
      return output;
    },
    refused: async (service, call, input = {}) => (await ask({ service, call, input })).code,
    wait: (job) => ask({ wait: job }),
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
      rmSync(home, { recursive: true, force: true });
    },
  };
}

test("QingCloud's client makes, attaches, finds, detaches and deletes NICs", async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  await using sdk = await client(double.url);
  const { vxnet_set } = await sdk.ok('VxNet', 'DescribeVxNets', { vxnets: [vxnet], verbose: 1 }, 'tunnel_type');
  assert.deepEqual([vxnet_set[0].router.ip_network, vxnet_set[0].router.manager_ip], ['10.20.0.0/24', '10.20.0.1']);
  const run = await sdk.ok('Instance', 'RunInstances', {
    image_id: 'debian12',
    login_mode: 'keypair',
    instance_name: 'a b',
    vxnets: [vxnet],
  });
  assert.deepEqual(await sdk.wait(run.job_id), {});
  const { nics } = await sdk.ok('Nic', 'CreateNics', { vxnet, count: 2, nic_name: 'of ours, ü*~' });
  const ids: string[] = nics.map(({ nic_id }: { nic_id: string }) => nic_id);
  const attach = await sdk.ok('Nic', 'AttachNics', { instance: run.instances[0], nics: ids });
  assert.deepEqual(await sdk.wait(attach.job_id), {});
  const { nic_set, total_count } = await sdk.ok('Nic', 'DescribeNics', { nic_name: 'of ours, ü*~', status: 'in-use', owner: key.owner });
  assert.equal(total_count, 2);
  assert.deepEqual([nic_set[0].nic_id, nic_set[0].instance_id, nic_set[0].role], [ids[1], run.instances[0], 0]);
  assert.match(nic_set[0].create_time, /^\d{4}-/);
  const { instance_set } = await sdk.ok('Instance', 'DescribeInstances', { instances: run.instances }, 'owner');
  assert.deepEqual([instance_set[0].instance_name, instance_set[0].status, instance_set[0].vxnets.length], ['a b', 'running', 3]);
  assert.deepEqual(await sdk.wait((await sdk.ok('Nic', 'DetachNics', { nics: ids })).job_id), {});
  await sdk.ok('Nic', 'ModifyNicAttributes', { nic: ids[0], nic_name: 'renamed' });
  await sdk.ok('Nic', 'DeleteNics', { nics: ids });
  assert.equal(await sdk.refused('Nic', 'DeleteNics', { nics: ids }), 2100);
  const ended = await sdk.ok('Instance', 'TerminateInstances', { instances: run.instances });
  assert.deepEqual(await sdk.wait(ended.job_id), {});
});

test("QingCloud's client reads jobs, keys, tags, security groups, routers and load balancers", async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  await using sdk = await client(double.url);
  const [{ nic_id: nic }] = (await sdk.ok('Nic', 'CreateNics', { vxnet })).nics;
  const { access_key_set } = await sdk.ok('Accesskey', 'DescribeAccessKeys', { access_keys: [key.accessKeyId] });
  assert.equal(access_key_set[0].owner, key.owner);
  const { tag_id } = await sdk.ok('Tag', 'CreateTag', { tag_name: 'k8s' });
  await sdk.ok('Tag', 'AttachTags', { resource_tag_pairs: [{ tag_id, resource_type: 'nic', resource_id: nic }] });
  assert.equal((await sdk.ok('Tag', 'DescribeTags', { tags: [tag_id] })).tag_set[0].resource_tag_pairs[0].resource_id, nic);
  assert.equal((await sdk.ok('Nic', 'DescribeNics', { nics: [nic] })).nic_set[0].tags[0].tag_name, 'k8s');
  const { security_group_id: group } = await sdk.ok('SecurityGroup', 'CreateSecurityGroup', { security_group_name: 'web' });
  const rules = [{ action: 'accept', direction: 0, priority: 1, protocol: 'tcp', val1: '80', val2: '80', val3: '10.20.0.0/16' }];
  await sdk.ok('SecurityGroup', 'AddSecurityGroupRules', { security_group: group, rules });
  assert.equal((await sdk.ok('SecurityGroup', 'DescribeSecurityGroups', {}, 'owner')).security_group_set[0].is_applied, 0);
  const applied = await sdk.ok('SecurityGroup', 'ApplySecurityGroup', { security_group: group });
  assert.deepEqual(await sdk.wait(applied.job_id), {});
  const shown = await sdk.ok('SecurityGroup', 'DescribeSecurityGroupRules', { security_group: group });
  assert.deepEqual([shown.security_group_rule_set[0].val1, shown.security_group_rule_set[0].priority], ['80', 1]);
  const { job_set } = await sdk.ok('Job', 'DescribeJobs', { jobs: [applied.job_id] }, 'directive');
  assert.deepEqual([job_set[0].job_action, job_set[0].status], ['ApplySecurityGroup', 'successful']);
  const { router_set } = await sdk.ok('Router', 'DescribeRouters', {});
  assert.equal(router_set[0].vpc_network, '10.20.0.0/16');
  const lb = await sdk.ok('LoadBalancer', 'CreateLoadBalancer', { vxnet, loadbalancer_name: 'web' });
  assert.deepEqual(await sdk.wait(lb.job_id), {});
  const listeners = [{ listener_port: 80, listener_protocol: 'tcp', backend_protocol: 'tcp' }];
  const { loadbalancer_listeners } = await sdk.ok('LoadBalancer', 'AddLoadBalancerListeners', {
    loadbalancer: lb.loadbalancer_id,
    listeners,
  });
  const backends = [{ resource_id: 'i-00000000', port: 8080, weight: 2 }];
  await sdk.ok('LoadBalancer', 'AddLoadBalancerBackends', { loadbalancer_listener: loadbalancer_listeners[0], backends });
  assert.deepEqual(
    await sdk.wait((await sdk.ok('LoadBalancer', 'UpdateLoadBalancers', { loadbalancers: [lb.loadbalancer_id] })).job_id),
    {},
  );
  const { loadbalancer_set } = await sdk.ok('LoadBalancer', 'DescribeLoadBalancers', { loadbalancers: [lb.loadbalancer_id] }, 'owner');
  assert.equal(loadbalancer_set[0].listeners[0].backends[0].weight, 2);
});

test("QingCloud's client sees refusals as such, and a job that failed", async () => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const instance = await double.instance(vxnet);
  await using sdk = await client(double.url);
  await using stranger = await client(double.url, 'wrong');
  assert.equal(await stranger.refused('Nic', 'DescribeNics'), 1200);
  assert.equal(await sdk.refused('Nic', 'AttachNics', { instance, nics: ['52:54:00:00:00:00'] }), 2100);
  const [{ nic_id: nic }] = (await sdk.ok('Nic', 'CreateNics', { vxnet })).nics;
  await double.fault('AttachNics', { kind: 'jobFails', outcome: 'failed' });
  const { job_id } = await sdk.ok('Nic', 'AttachNics', { instance, nics: [nic] });
  assert.match((await sdk.wait(job_id)).message ?? '', /failed/);
});

test("QingCloud's client for Python is understood, by GET and by POST, where it sends a form in no order", async (t) => {
  await using double = await qingcloudDouble();
  const vxnet = await double.vxnet();
  const { hostname, port } = new URL(double.url);
  const program = join(import.meta.dirname, 'double-client.py');
  const child = spawn(programs.qingcloudPython(), [program, hostname, port, key.accessKeyId, key.secretAccessKey, zone], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(async () => {
    child.stdin.end();
    if (child.exitCode === null) await once(child, 'exit');
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const ask = async (verb: 'GET' | 'POST', action: string, parameters: object): Promise<Heard['output']> => {
    child.stdin.write(`${JSON.stringify([verb, action, parameters])}\n`);
    const { value, done } = await lines.next();
    assert.equal(done, false, 'the client ended');
    const answer = JSON.parse(value);
    assert.equal(answer.ret_code, 0, value);
    return answer;
  };
  for (const verb of ['GET', 'POST'] as const) {
    const name = `${verb} of ours, ü+/*~`;
    const { nics } = await ask(verb, 'CreateNics', { vxnet, nic_name: name, count: 12 });
    const ids: string[] = nics.map(({ nic_id }: { nic_id: string }) => nic_id);
    assert.equal((await ask(verb, 'DescribeNics', { nics: ids, nic_name: name, limit: 5 })).total_count, 12);
    const { job_id } = await ask(verb, 'AllocateVips', { vxnet_id: vxnet, count: 3, vip_name: name });
    assert.equal(await double.final(job_id), 'successful');
    const { vip_set } = await ask(verb, 'DescribeVips', { vxnets: [vxnet], vip_name: name });
    assert.equal(vip_set.length, 3);
  }
});
