/**
 * A schema of ours as a structural schema of Kubernetes (kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions,
 * "Specifying a structural schema"): no unions, no references, types everywhere. What cannot be said that way is an error here, not a field that the API
 * server would let everything through.
 */
import * as z from 'zod';

/** A part of a structural schema. */
export interface Structural {
  readonly type: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Structural>>;
  readonly items?: Structural;
  readonly additionalProperties?: Structural;
  readonly [keyword: string]: unknown;
}

/** Keywords that mean the same on both sides. */
const kept = [
  'description',
  'default',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'maxProperties',
  'required',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
] as const; // prettier-ignore
/** Keywords that are read below, or that a structural schema says otherwise: unknown keys are pruned, a pattern's message would name no remedy. */
const read = [
  '$schema',
  'type',
  'properties',
  'items',
  'additionalProperties',
  'propertyNames',
  'enum',
  'const',
  'format',
  'pattern',
  'x-kubernetes-validations',
];
const understood = new Set<string>([...kept, ...read]);

/**
 * The structural schema. `rules`: with CEL; without, only types and limits are checked, which is enough for what programs alone write.
 * @throws RangeError that names the field which has no structural form.
 */
export function structural(schema: z.ZodType, rules: boolean): Structural {
  return convert(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }), rules, '');
}

function convert(json: unknown, rules: boolean, path: string): Structural {
  if (!isRecord(json)) throw new RangeError(`${path}: ${JSON.stringify(json)} has no structural form`);
  const foreign = Object.keys(json).find((keyword) => !understood.has(keyword));
  if (foreign !== undefined) throw new RangeError(`${path}: ${foreign} has no structural form`);
  const inner = (key: string): Structural | undefined => (isRecord(json[key]) ? convert(json[key], rules, `${path}.${key}`) : undefined);
  const [items, additionalProperties] = [inner('items'), inner('additionalProperties')];
  const validations = rules ? json['x-kubernetes-validations'] : undefined;
  return {
    ...typeOf(json, path),
    ...Object.fromEntries(
      kept.flatMap((keyword) => (json[keyword] === undefined || isNoLimit(json[keyword]) ? [] : [[keyword, json[keyword]]])),
    ),
    ...(validations !== undefined && { 'x-kubernetes-validations': validations }),
    ...(isRecord(json['properties']) && { properties: propertiesOf(json['properties'], rules, path) }),
    ...(items && { items }),
    ...(additionalProperties && { additionalProperties }),
  };
}

function propertiesOf(properties: Readonly<Record<string, unknown>>, rules: boolean, path: string): Record<string, Structural> {
  return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, convert(value, rules, `${path}.${key}`)]));
}

function typeOf({ type, format, ...json }: Readonly<Record<string, unknown>>, path: string): Structural {
  const values = json['const'] === undefined ? json['enum'] : [json['const']];
  if (Array.isArray(values)) {
    const whole = values.every(Number.isInteger);
    if (!whole && !values.every((value) => typeof value === 'string')) throw new RangeError(`${path}: values of several types`);
    return { type: whole ? 'integer' : 'string', enum: values };
  }
  switch (type) {
    case undefined:
      return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    case 'integer':
      return { type, format: 'int64' };
    case 'string':
      return format === 'date-time' ? { type, format } : { type };
    case 'array':
    case 'object':
    case 'boolean':
      return { type };
    default:
      throw new RangeError(`${path}: the type ${JSON.stringify(type)} has no structural form`);
  }
}

/** What zod adds to every whole number. */
function isNoLimit(value: unknown): boolean {
  return value === Number.MAX_SAFE_INTEGER || value === Number.MIN_SAFE_INTEGER;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
