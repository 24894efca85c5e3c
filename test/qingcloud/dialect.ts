/** How QingCloud's calls look to the fault proxy. */
import type { Dialect } from '../cloud/fault-proxy.ts';

/** A call's name is in the query or in the body; what is too much has a code, and a status as if all were well. */
export const qingCloudDialect: Dialect = {
  nameOf: ({ path, body }) => /[?&]action=(\w+)/.exec(`${path}&${body}`)?.[1] ?? '',
  isRead: (name) => name.startsWith('Describe'),
  isQuestion: ({ path, body }) => /=(vxnet|vip|i|sg)-0{8}(&|$)|=00(%3A00){5}(&|$)/.test(`${path}&${body}`),
  sameness: ({ path, body }) => `${path} ${body}`.replaceAll(/(time_stamp|signature)=[^&\s]*/g, ''),
  throttled: (name) => ({
    status: 200,
    headers: { 'content-type': 'application/json' },
    text: JSON.stringify({ action: `${name}Response`, ret_code: 2500, message: 'request rate exceeded' }),
  }),
  denied: (name) => ({
    status: 200,
    headers: { 'content-type': 'application/json' },
    text: JSON.stringify({ action: `${name}Response`, ret_code: 1400, message: `PermissionDenied, access denied for action [${name}]` }),
  }),
  withoutSubnets: (name, text) =>
    name === 'DescribeVxnets' ? JSON.stringify({ ...(JSON.parse(text) as object), vxnet_set: [], total_count: 0 }) : undefined,
};
