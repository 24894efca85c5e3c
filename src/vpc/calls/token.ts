/** Idempotency by client token, and new ids. */
import { createHash, randomBytes } from 'node:crypto';
import type { Kind } from '../model/objects.ts';
import type { Transaction } from '../model/model.ts';
import { Refusal } from '../model/refusal.ts';

const REMEMBER_ms = 24 * 3600_000;

/** A fresh id such as `nic-0a1b2c3d4e5f60718`. */
export function newId<T extends string>(prefix: string): T {
  return `${prefix}-0${randomBytes(8).toString('hex')}` as T;
}

/**
 * Creates once per token: the same token with the same request answers with the id from the first time.
 * @throws Refusal TokenReusedDifferently for another request, or when the object is gone by now.
 */
export function once<T extends string>(
  transaction: Transaction,
  call: string,
  request: { readonly clientToken?: string | undefined },
  kind: Kind,
  create: () => T,
): T {
  const { clientToken, ...rest } = request;
  if (clientToken === undefined) return create();
  const id = `${call} ${clientToken}`;
  const digest = createHash('sha256').update(JSON.stringify(rest)).digest('hex');
  const before = transaction.state.token.get(id);
  if (before === undefined) {
    const object = create();
    transaction.put('token', { id, request: digest, object, at_ms: transaction.now_ms });
    return object;
  }
  if (before.request !== digest) {
    throw new Refusal(
      'TokenReusedDifferently',
      `client token ${clientToken} was used for another request, which made ${before.object}`,
      'use a new token for a new request',
    );
  }
  if (!transaction.state[kind].has(before.object)) {
    throw new Refusal(
      'TokenReusedDifferently',
      `client token ${clientToken} made ${before.object}, which has been deleted`,
      'use a new token',
    );
  }
  return before.object as T; // put above by the same call, so by the same `create`
}

/** Forgets tokens older than a day whose object is gone. */
export function forgetTokens(transaction: Transaction): void {
  const { state, now_ms } = transaction;
  const alive = (object: string): boolean =>
    [state.subnet, state.instance, state.nic, state.group, state.public].some((kind) => kind.has(object));
  for (const token of state.token.values()) {
    if (now_ms - token.at_ms > REMEMBER_ms && !alive(token.object)) transaction.remove('token', token.id);
  }
}
