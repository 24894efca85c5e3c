/** The calls of Nova's API v2.1 that the driver makes. Microversion 2.49 (Pike): servers tell their flavor, with its extra specs where the account may see them. */
import type { CloudInstance, InstanceId, InstanceLimits } from '../cloud.ts';
import { understood } from '../wire/asked.ts';
import { id, Mismatch, object, type Read, text } from '../wire/shape.ts';
import { refusalOf } from './refusals.ts';
import type { Session, Task } from './session.ts';

/** See the head of this file. */
export interface Nova {
  /** undefined: Nova does not know it. */
  server(id: InstanceId, task: Task): Promise<CloudInstance | undefined>;
  /** Returns when Nova has plugged it, which may take a while. */
  attach(server: InstanceId, port: string, task: Task): Promise<void>;
  /** Returns when Nova has accepted it; false: it has no such attachment. */
  detach(server: InstanceId, port: string, task: Task): Promise<boolean>;
}

/** What Nova does not tell of an instance, where its flavor's extra specs (`flatpod:nics`, `flatpod:slots`, `flatpod:branches`) do not either. */
export interface UsualLimits {
  readonly nics: number;
  readonly slots: number;
  readonly branches?: number;
}

const headers = { 'openstack-api-version': 'compute 2.49' };

/** Nova behind that session. */
export function novaOf(session: Session, usual: UsualLimits): Nova {
  return {
    async server(server, task) {
      const answer = await session.ask('compute', { method: 'GET', path: `/servers/${encodeURIComponent(server)}`, headers }, task);
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) throw refusalOf(answer);
      return understood(answer.body, (body, at) => serverOf(server, usual)(object(body, at)['server'], `${at}.server`), answer.asked);
    },
    async attach(server, port, task) {
      const path = `/servers/${encodeURIComponent(server)}/os-interface`;
      const answer = await session.ask(
        'compute',
        { method: 'POST', path, headers, body: { interfaceAttachment: { port_id: port } } },
        task,
      );
      if (answer.status !== 200) throw refusalOf(answer);
    },
    async detach(server, port, task) {
      const path = `/servers/${encodeURIComponent(server)}/os-interface/${encodeURIComponent(port)}`;
      const answer = await session.ask('compute', { method: 'DELETE', path, headers }, task);
      if (answer.status !== 202 && answer.status !== 404) throw refusalOf(answer);
      return answer.status === 202;
    },
  };
}

function serverOf(server: InstanceId, usual: UsualLimits): Read<CloudInstance> {
  return (value, at) => {
    const from = object(value, at);
    const found = id<InstanceId>(from['id'], `${at}.id`);
    if (found !== server) throw new Mismatch(`${at} is ${found}, not ${server}`);
    const flavor = object(from['flavor'], `${at}.flavor`);
    const isGone = ['DELETED', 'SOFT_DELETED'].includes(text(from['status'], `${at}.status`));
    return {
      id: found,
      zone: text(from['OS-EXT-AZ:availability_zone'] ?? '', `${at}.OS-EXT-AZ:availability_zone`),
      type: text(flavor['original_name'], `${at}.flavor.original_name`),
      limits: limitsOf(object(flavor['extra_specs'] ?? {}, `${at}.flavor.extra_specs`), usual, `${at}.flavor.extra_specs`),
      state: isGone ? 'terminated' : 'running',
    };
  };
}

function limitsOf(specs: Readonly<Record<string, unknown>>, usual: UsualLimits, at: string): InstanceLimits {
  const spec = <T extends number | undefined>(name: string, otherwise: T): number | T => {
    const value = specs[`flatpod:${name}`];
    if (value === undefined) return otherwise;
    const written = text(value, `${at}.flatpod:${name}`);
    if (!/^\d{1,4}$/.test(written))
      throw new Mismatch(`${at}.flatpod:${name} should be a whole number, not ${JSON.stringify(written.slice(0, 80))}`);
    return Number(written);
  };
  const [slots, branches] = [spec('slots', usual.slots), spec('branches', usual.branches)];
  return {
    nics: spec('nics', usual.nics),
    addressSlotsPerNic: slots,
    ipv6SlotsPerNic: slots,
    ...(branches !== undefined && branches > 0 && { branches }),
  };
}
