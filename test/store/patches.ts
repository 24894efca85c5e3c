/** Patches of the Kubernetes API: RFC 7386 (merge) and what Flatpod uses of RFC 6902. */
import { isDeepStrictEqual } from 'node:util';
import { failure } from '../../src/errors/failure.ts';
import { isRecord } from '../../src/kube/answers.ts';

/** RFC 7386: null takes away. */
export function mergePatched(old: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const made: Record<string, unknown> = isRecord(old) ? { ...old } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete made[key];
    else made[key] = mergePatched(made[key], value);
  }
  return made;
}

/** RFC 6902 of records: `test`, `add`, `replace`, `remove`. @throws Failure kubeInvalid, as the API server answers a test that fails (422). */
export function jsonPatched(old: unknown, operations: readonly object[]): unknown {
  const made: unknown = structuredClone(old);
  const refuse = (text: string) => failure('kubeInvalid', { call: 'patch', text });
  for (const operation of operations) {
    const { op, path, value }: { op?: string; path?: string; value?: unknown } = operation;
    const keys = (path ?? '')
      .split('/')
      .slice(1)
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = keys.pop() ?? '';
    const parent = keys.reduce<unknown>((inner, key) => (isRecord(inner) ? inner[key] : undefined), made);
    if (!isRecord(parent)) throw refuse(`nothing at ${path}`);
    if (op === 'test' && !isDeepStrictEqual(parent[last], value)) throw refuse(`testing value ${path} failed`);
    if (op === 'add' || op === 'replace') parent[last] = value;
    if (op === 'remove') delete parent[last];
  }
  return made;
}
