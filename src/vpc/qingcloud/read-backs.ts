/** What is asked about calls and callers: jobs and access keys. */
import * as z from 'zod';
import { type Action, mustBeKnown, read, timeOf } from './action.ts';
import { jobsOf, statusOf } from './jobs.ts';
import { list, page, paged, some } from './parameters.ts';

const describeJobs = z.strictObject({ ...page, jobs: list.optional(), status: list.optional(), job_action: some.optional() });

/** The actions of this file. */
export const readBackActions: readonly Action[] = [
  read(['DescribeJobs'], describeJobs, (state, wanted, asking) => {
    const now_ms = Date.now();
    const shown = jobsOf(state).filter(({ job }) => !job.course.hidden);
    mustBeKnown(
      asking,
      wanted.jobs,
      shown.map(({ id }) => id),
    );
    const found = shown.filter(
      ({ id, job }) =>
        (wanted.jobs?.includes(id) ?? true) &&
        (wanted.status?.includes(statusOf(job, now_ms)) ?? true) &&
        (wanted.job_action === undefined || wanted.job_action === job.action) &&
        (wanted.owner === undefined || wanted.owner === job.owner),
    );
    return paged('job_set', found, wanted, ({ id, job }) => ({
      job_id: id,
      job_action: job.action,
      status: statusOf(job, now_ms),
      directive: JSON.stringify({ action: job.action, ...job.work }),
      resource_ids: job.resources.join(','),
      owner: job.owner,
      create_time: timeOf(job.created_ms),
      status_time: timeOf(job.ended_ms ?? job.created_ms),
    }));
  }),
  read(
    ['DescribeAccessKeys'],
    z.strictObject({ ...page, access_keys: list.optional(), status: list.optional() }),
    (_state, wanted, { account, accounts }) => {
      const mine = accounts.filter(
        ({ owner, accessKeyId }) =>
          owner === account.owner &&
          (wanted.access_keys?.includes(accessKeyId) ?? true) &&
          (wanted.status?.includes('active') ?? true) &&
          (wanted.owner === undefined || wanted.owner === owner),
      );
      return paged('access_key_set', mine, wanted, ({ owner, accessKeyId }) => ({
        access_key_id: accessKeyId,
        access_key_name: '',
        owner,
        root_user_id: owner,
        console_id: 'qingcloud',
        status: 'active',
        description: '',
      }));
    },
  ),
];
