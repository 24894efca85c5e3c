/** What refusals of Octavia mean. It has no types for them, only a status and a sentence (octavia/common/exceptions.py); docs/clouds/openstack.md has the same. */
import type { Failure } from '../../../errors/failure.ts';
import { overQuota, refuse, refuseByStatus, understood } from '../../wire/asked.ts';
import { object, text } from '../../wire/shape.ts';
import type { Answered } from '../session.ts';

/** The one sentence that is read: a quota is refused with the status of a missing permission. */
const QUOTA = /^Quota has been met/;
const quota = overQuota(
  'an administrator sees the quota by `openstack loadbalancer quota show PROJECT` and raises it by `openstack loadbalancer quota set --loadbalancer N PROJECT`, others by --listener, --pool, --member and --healthmonitor',
);

/** The failure for an answer that is no success. */
export function octaviaRefusal({ status, headers, body, asked, told }: Answered): Failure {
  if (told !== undefined) return refuse.denied(asked, told);
  const words = understood(body, saidIn, asked);
  const said = words === '' ? `status ${status}` : `status ${status}: ${words}`;
  if (status === 429 || (status === 503 && headers['retry-after'] !== undefined)) return refuse.throttled(asked, said);
  if (status === 403 && QUOTA.test(words)) return quota(asked, said);
  // A provider that lacks what is asked for lacks it the next time too.
  if (status === 501) return refuse.invalid(asked, said);
  return refuseByStatus(status)(asked, said);
}

function saidIn(body: unknown, at: string): string {
  if (body === undefined) return '';
  const { faultstring = '' } = object(body, at);
  return text(faultstring, `${at}.faultstring`);
}
