/** The fronts of `flatpod vpc`: other clouds' APIs before the same VPC. */
import { failure } from '../errors/failure.ts';
import { ec2Front } from '../vpc/ec2/ec2.ts';
import type { Front } from '../vpc/front.ts';
import { neutronFront } from '../vpc/neutron/front.ts';
import { qingcloud } from '../vpc/qingcloud/front.ts';

/** The options that are about fronts, as typed. */
export interface FrontArguments {
  readonly neutron?: string;
  readonly qingcloud?: string;
  readonly qingcloudKey: string;
  readonly ec2?: string;
  readonly ec2Key: string;
  readonly ec2Region: string;
}

/** Those that are asked for. @throws Failure vpcOptions. */
export function frontsOf(typed: FrontArguments): Front[] {
  const fronts: Front[] = typed.neutron === undefined ? [] : [neutronFront(typed.neutron)];
  if (typed.qingcloud !== undefined) {
    const [accessKeyId, secretAccessKey] = keyOf('--qingcloud-key', typed.qingcloudKey);
    fronts.push(qingcloud({ listen: typed.qingcloud, accounts: [{ owner: 'usr-00000001', accessKeyId, secretAccessKey }] }));
  }
  if (typed.ec2 !== undefined) {
    const [id, secret] = keyOf('--ec2-key', typed.ec2Key);
    fronts.push(ec2Front({ listen: typed.ec2, keys: [{ id, secret }], region: typed.ec2Region }));
  }
  return fronts;
}

/** Id and secret of the one user. */
function keyOf(option: string, typed: string): [id: string, secret: string] {
  const [, id, secret] = /^([^:]+):(.+)$/.exec(typed) ?? [];
  if (id !== undefined && secret !== undefined) return [id, secret];
  throw failure('vpcOptions', { option, value: '(not shown)', text: 'it is no key', remedy: 'write it like ID:SECRET' });
}
