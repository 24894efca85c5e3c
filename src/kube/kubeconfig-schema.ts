/** A kubeconfig as clientcmd reads it. Keys that do not matter to us are ignored, as clientcmd does; those that would change who we are, are named. */
import * as z from 'zod';

const text = z.string();
const anything = z.unknown();

const cluster = z.object({
  server: text.min(1),
  'tls-server-name': text.min(1).optional(),
  'insecure-skip-tls-verify': z.boolean().optional(),
  'certificate-authority': text.optional(),
  'certificate-authority-data': text.optional(),
  'proxy-url': text.optional(),
});

const user = z.object({
  'client-certificate': text.optional(),
  'client-certificate-data': text.optional(),
  'client-key': text.optional(),
  'client-key-data': text.optional(),
  token: text.min(1).optional(),
  tokenFile: text.min(1).optional(),
  username: anything.optional(),
  password: anything.optional(),
  exec: anything.optional(),
  'auth-provider': anything.optional(),
  as: anything.optional(),
  'as-uid': anything.optional(),
  'as-groups': anything.optional(),
  'as-user-extra': anything.optional(),
});

/** clientcmd writes an absent list as null. */
const listOf = <T extends z.ZodType>(one: T) =>
  z
    .array(one)
    .nullish()
    .transform((list) => list ?? []);

/** The file as a whole. */
export const kubeconfigSchema = z.object({
  'current-context': text.optional(),
  clusters: listOf(z.object({ name: text, cluster })),
  users: listOf(z.object({ name: text, user: user.nullish().transform((one) => one ?? {}) })),
  contexts: listOf(z.object({ name: text, context: z.object({ cluster: text, user: text.optional(), namespace: text.optional() }) })),
});
