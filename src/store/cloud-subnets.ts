/** Several subnets of the cloud in one PodSubnet. */
import * as z from 'zod';
import { listSet, rules } from './crd/rules.ts';

/** By ids; by tags there may be more, of which status lists that many. */
export const MOST_CLOUD_SUBNETS = 64;

const MOST_TAGS = 10;

/** By ids or by tags: each new interface goes to the one in its node's zone with the most free addresses. */
export const cloudSubnets = z
  .strictObject({
    ids: z
      .array(z.string().min(1).max(256))
      .min(1)
      .max(MOST_CLOUD_SUBNETS)
      .exactOptional()
      .meta(listSet)
      .describe('the ids by which the cloud knows them; absent: those with the tags'),
    tags: z
      .record(z.string().min(1).max(128), z.string().max(256))
      .refine((tags) => Object.keys(tags).length > 0, 'must name at least one tag, such as kubernetes.io/role/cni: "1"')
      .refine((tags) => Object.keys(tags).length <= MOST_TAGS, `must name at most ${MOST_TAGS} tags`)
      .exactOptional()
      .meta({ maxProperties: MOST_TAGS })
      .describe(
        'of AWS: the subnets that have all these tags, also those that get them later; one that loses them gets no further interface; absent: those with the ids',
      ),
  })
  .refine(({ ids, tags }) => (ids === undefined) !== (tags === undefined), 'name subnets by ids or by tags, and not by both')
  .meta(
    rules(
      { rule: 'has(self.ids) != has(self.tags)', message: 'name subnets by ids or by tags, and not by both' },
      { rule: '!has(self.tags) || size(self.tags) > 0', message: 'tags must name at least one tag: add one', field: '.tags' },
    ),
  );
