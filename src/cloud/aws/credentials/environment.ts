/** Keys in the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. */
import { keys, type Source, Trouble } from './source.ts';

/** Not looked at when a profile was asked for by name, as in AWS's own clients. */
export const environment: Source = {
  name: 'the environment',
  read({ env, profile }) {
    const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = env;
    if (profile !== undefined || (!id && !secret)) return Promise.resolve(undefined);
    if (!id || !secret) return Promise.reject(new Trouble('one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is missing'));
    return Promise.resolve(keys(id, secret, token || undefined));
  },
};
