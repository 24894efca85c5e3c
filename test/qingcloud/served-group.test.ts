/** The security group of the nodes' instances, with packets: Pods of two nodes behind a group that lets nothing in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, seenFrom } from '../life/lab.ts';
import { reachesSoon, silent } from '../vpc/site.ts';
import { blockOf, LIMIT_s, servedBed } from './served-bed.ts';

test('Pods of two nodes are silent while the key may not add rules, and reach each other when it may: the group lets their vxnet in and is applied', async () => {
  await using bed = await servedBed({
    ipam: (vxnet) => ({ Default: [vxnet] }),
    async before({ ground }) {
      const [group] = (await ground.vpc.call('GET', '/v1/security-groups?name=default')).body.items;
      const rules = [{ direction: 'egress', protocol: 'any', cidr: '0.0.0.0/0' }];
      assert.equal((await ground.vpc.call('PUT', `/v1/security-groups/${group.id}/rules`, { rules })).status, 200);
      await ground.aside('PUT', '/double/switches', { denied: ['AddSecurityGroupRules'] });
      return { securityGroup: `sg-${String(group.id).slice(-8)}` };
    },
  });
  const [n1, n2] = bed.nodes;
  assert.ok(n1 && n2);
  const [one, two] = [await bed.pod(n1, 'shop'), await bed.pod(n2, 'web')];
  const said = (text: RegExp): boolean => bed.lines.some((line) => text.test(line));
  await eventually('the denial is said', () => said(/Pods may not be let in by the security group.*AddSecurityGroupRules/), LIMIT_s);
  assert.deepEqual([await silent(one, two.address), await silent(two, one.address)], [true, true]);

  await bed.ground.aside('PUT', '/double/switches', { denied: [] });
  // A new PodSubnet has the group looked at now, and not when the pause is over.
  bed.ipam({ Default: [bed.vxnet], db: [blockOf(128)] });
  await eventually('the group is applied', () => said(/apply security group sg-/), LIMIT_s);
  assert.ok((await reachesSoon(one, two.address)) && (await reachesSoon(two, one.address)));
  assert.equal(await seenFrom(one.netns, two.address, two.netns), one.address);
  const { security_group_rule_set: rules } = await bed.ground.act('DescribeSecurityGroupRules');
  assert.deepEqual(
    rules.map(({ security_group_rule_name: name, val3 }: Record<string, string>) => `${name} ${val3}`),
    ['flatpod 10.20.1.0/24'],
  );
});
