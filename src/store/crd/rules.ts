/** What a schema says to the Kubernetes API server alone. It stands beside the check of ours that says the same. */

/** A rule in CEL (kubernetes.io/docs/reference/using-api/cel): holds for objects that are right. */
export interface Rule {
  readonly rule: string;
  /** Names the field and the remedy. */
  readonly message: string;
  /** Path, from where the rule stands, of the field at fault: `.values`. */
  readonly field?: string;
}

/** Rules as the meta data of a schema, which z.toJSONSchema() passes on. */
export function rules(...all: Rule[]): Readonly<Record<string, unknown>> {
  const written = all.map(({ rule, message, field }) => ({
    rule,
    message,
    reason: 'FieldValueInvalid',
    ...(field && { fieldPath: field }),
  }));
  return { 'x-kubernetes-validations': written };
}

/** A list whose entries are told apart by these keys, so that several writers may each own some of them (server-side apply). */
export function listMap(...keys: string[]): Readonly<Record<string, unknown>> {
  return { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys };
}

/** A list without an order, in which each entry stands once. */
export const listSet: Readonly<Record<string, unknown>> = { 'x-kubernetes-list-type': 'set' };

/** A list that belongs to one writer as a whole. */
export const listAtomic: Readonly<Record<string, unknown>> = { 'x-kubernetes-list-type': 'atomic' };
