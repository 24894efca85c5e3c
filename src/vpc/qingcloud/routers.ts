/** The VPC's one router, and routes it is told. */
import * as z from 'zod';
import { tryParseCidr } from '../../net/cidr.ts';
import { networkOf } from '../model/find.ts';
import type { State } from '../model/objects.ts';
import { type Action, change, read, timeOf } from './action.ts';
import { freshId, routerId, subnetBy, vxnetId } from './ids.ts';
import { created_ms, noteOf, notesOf, putNote } from './notes.ts';
import { int, list, page, paged, some, text } from './parameters.ts';
import { Problem, unknown } from './problem.ts';
import { hasDhcp, routerPart, vpcNetwork } from './vxnets.ts';

const static_ = z.strictObject({
  static_type: int,
  router_static_name: text.optional(),
  vxnet_id: text.optional(),
  val1: text.optional(),
  val2: text.optional(),
  val3: text.optional(),
  val4: text.optional(),
  val5: text.optional(),
});
/** A route: `val1` its network, `val2` its next hop. */
const ROUTE = 8;

/** The actions of this file. */
export const routerActions: readonly Action[] = [
  read(
    ['DescribeRouters', 'GetNetwork'],
    z.strictObject({ ...page, routers: list.optional(), status: list.optional(), tags: list.optional(), vxnet: some.optional() }),
    (state, wanted) => {
      const found = [routerId(state)].filter((id) => wanted.routers?.includes(id) ?? true);
      return paged('router_set', found, wanted, (id) => shown(state, id));
    },
  ),
  read(['DescribeRouterVxnets'], z.strictObject({ ...page, router: some, vxnet: some.optional() }), (state, wanted) => {
    checkRouter(state, wanted.router);
    const found = [...state.subnet.values()].filter((subnet) => wanted.vxnet === undefined || wanted.vxnet === vxnetId(subnet));
    return paged('router_vxnet_set', found, wanted, (subnet) => ({
      vxnet_id: vxnetId(subnet),
      features: hasDhcp(state, subnet) ? 1 : 0,
      ...routerPart(state, subnet),
    }));
  }),
  change(
    ['CreateRouters'],
    z.strictObject({
      count: int.optional(),
      router_name: text.optional(),
      router_type: int.optional(),
      vpc_network: text.optional(),
      security_group: text.optional(),
    }),
    () => {
      throw new Problem('quota', 'the VPC has one router, and may have no other');
    },
  ),
  change(
    ['AddRouterStatics'],
    z.strictObject({ router: some, vxnet: some.optional(), statics: z.array(static_).min(1, 'is empty') }),
    (transaction, { router, vxnet, statics }) => {
      checkRouter(transaction.state, router);
      if (vxnet !== undefined) subnetBy(transaction.state, vxnet);
      const ids = statics.map((one) => {
        if (one.static_type === ROUTE && tryParseCidr(one.val1 ?? '') === undefined)
          throw new Problem('malformed', `[${one.val1}] is no network`);
        const id = freshId('rtrs');
        putNote(transaction, 'static', id, { created_ms: String(transaction.now_ms), fields: JSON.stringify(one), applied: '0' });
        return id;
      });
      return { router_statics: ids };
    },
  ),
  read(
    ['DescribeRouterStatics'],
    z.strictObject({ ...page, router: some, vxnet: text.optional(), static_type: int.optional(), router_statics: list.optional() }),
    (state, wanted) => {
      checkRouter(state, wanted.router);
      const found = notesOf(state, 'static').filter(({ key }) => wanted.router_statics?.includes(key) ?? true);
      return paged('router_static_set', found, wanted, (one) => ({
        router_static_id: one.key,
        router_id: wanted.router,
        ...(JSON.parse(one.facts['fields'] ?? '{}') as object), // what AddRouterStatics wrote
        create_time: timeOf(created_ms(one)),
      }));
    },
  ),
  change(['UpdateRouters'], z.strictObject({ routers: list }), (transaction, { routers }, changing) => {
    for (const id of routers) checkRouter(transaction.state, id);
    for (const { key, facts } of notesOf(transaction.state, 'static')) putNote(transaction, 'static', key, { ...facts, applied: '1' });
    return { job_id: changing.start(transaction, routers, { kind: 'record', of: routers }).id };
  }),
];

function checkRouter(state: State, id: string): void {
  if (id !== routerId(state)) throw unknown(id);
}

function shown(state: State, id: string): object {
  return {
    router_id: id,
    router_name: noteOf(state, 'router', id)?.['name'] ?? networkOf(state).name,
    router_type: 1,
    mode: 1,
    status: 'active',
    transition_status: '',
    is_applied: notesOf(state, 'static').every(({ facts }) => facts['applied'] === '1') ? 1 : 0,
    vpc_network: vpcNetwork(state),
    vxnets: [...state.subnet.values()].map((subnet) => ({ vxnet_id: vxnetId(subnet), vxnet_name: subnet.name })),
  };
}
