/** A stored interface that a former plugin made. All throw RangeError that names the field. */
import { type AdoptedInterface, type FormerRoute, type FormerRule, formerPlugins } from './interface.ts';
import { type Fields, ipsOf, listOf, macOf, numberOf, objectOf, parsedCidr, textOf } from './stored-fields.ts';

/** @throws RangeError. */
export function readAdopted(fields: Fields): AdoptedInterface {
  const madeBy = formerPlugins.find((one) => one === fields['madeBy']);
  if (madeBy === undefined) throw new RangeError(`madeBy is ${JSON.stringify(fields['madeBy'])}`);
  const end = fields['hostEnd'] === undefined ? undefined : objectOf(fields['hostEnd'], 'hostEnd');
  return {
    datapath: 'adopted',
    madeBy,
    netns: textOf(fields, 'netns'),
    ifname: textOf(fields, 'ifname'),
    addresses: ipsOf(fields, 'addresses'),
    ...(end !== undefined && { hostEnd: { link: textOf(end, 'link'), mac: macOf(end, 'mac') } }),
    routes: listOf(fields, 'routes').map((one) => readRoute(objectOf(one, 'a route'))),
    rules: listOf(fields, 'rules').map((one) => readRule(objectOf(one, 'a rule'))),
    // Those who were taken over before there were any have none.
    ways: fields['ways'] === undefined ? [] : listOf(fields, 'ways').map((one) => readRoute(objectOf(one, 'a way'))),
  };
}

function readRoute(fields: Fields): FormerRoute {
  return {
    dst: parsedCidr(fields, 'dst'),
    link: textOf(fields, 'link'),
    scope: textOf(fields, 'scope') === 'link' ? 'link' : 'global',
    table: numberOf(fields, 'table'),
    protocol: numberOf(fields, 'protocol'),
    ...(fields['metric'] !== undefined && { metric: numberOf(fields, 'metric') }),
  };
}

function readRule(fields: Fields): FormerRule {
  const family = numberOf(fields, 'family');
  if (family !== 4 && family !== 6) throw new RangeError(`family is ${family}`);
  const mark = fields['mark'] === undefined ? undefined : objectOf(fields['mark'], 'mark');
  return {
    family,
    priority: numberOf(fields, 'priority'),
    table: numberOf(fields, 'table'),
    protocol: numberOf(fields, 'protocol'),
    ...(fields['from'] !== undefined && { from: parsedCidr(fields, 'from') }),
    ...(fields['to'] !== undefined && { to: parsedCidr(fields, 'to') }),
    ...(mark !== undefined && { mark: { value: numberOf(mark, 'value'), mask: numberOf(mark, 'mask') } }),
    ...(fields['iif'] !== undefined && { iif: textOf(fields, 'iif') }),
  };
}
