/** How OpenStack's calls look to the fault proxy. */
import type { Dialect } from '../cloud/fault-proxy.ts';

/** For one proxy, before that Keystone (with `/v3`): paths through it begin with the service's name, since its catalogue is made to say so. */
export function openStackDialect(keystone: string): Dialect {
  const services = new Map([['identity', keystone.replace(/\/v3$/, '')]]);
  return {
    nameOf: ({ method, path }) => `${method} ${path.replace(/\?.*/, '').replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, ':id')}`,
    isRead: (name) => name.startsWith('GET') || name.endsWith('/auth/tokens'),
    isQuestion: ({ path, body, headers }) =>
      `${path} ${body}`.includes('00000000-0000-4000-8000-000000000000') || headers['if-match'] === 'revision_number=0',
    throttled: () => ({ status: 429, headers: { 'content-type': 'text/plain', 'retry-after': '1' }, text: 'Too many requests' }),
    target(path) {
      const [, service = '', rest = ''] = /^\/([^/]+)(.*)$/.exec(path) ?? [];
      return `${services.get(service)}${rest}`;
    },
    through(text, { path }, proxy) {
      if (!path.endsWith('/auth/tokens') || text === '') return text;
      const answer = JSON.parse(text) as { token?: { catalog?: { type: string; endpoints: { url: string }[] }[] } }; // Keystone's
      for (const { type, endpoints } of answer.token?.catalog ?? [])
        for (const endpoint of endpoints) {
          services.set(type, new URL(endpoint.url).origin);
          endpoint.url = `${proxy}/${type}${new URL(endpoint.url).pathname.replace(/\/$/, '')}`;
        }
      return JSON.stringify(answer);
    },
  };
}
