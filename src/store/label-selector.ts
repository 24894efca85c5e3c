/**
 * Kubernetes' label selectors, with the semantics of apimachinery (k8s.io/apimachinery/pkg/apis/meta/v1, LabelSelectorAsSelector): all requirements
 * must hold; the empty selector selects everything, an absent one nothing.
 */
import * as z from 'zod';
import { listAtomic, rules } from './crd/rules.ts';

/** Labels of an object. */
export type Labels = Readonly<Record<string, string>>;

/** A qualified name: an optional DNS subdomain and a slash, then a name of at most 63 (k8s.io/apimachinery/pkg/util/validation). */
const KEY = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const noKey = 'is no label key: write it like app or example.com/app';
const noKeys = 'matchLabels has a key that is no label key: write keys like app or example.com/app';
/** The same in CEL, which needs no backslashes. */
const KEY_IN_CEL = `matches('${KEY.source.replace('\\/', '/')}')`;
const noValue = 'a label value has letters, digits, "-", "_" and ".", at most 63';

const key = z.string().max(317).regex(KEY, noKey);
const value = z
  .string()
  .max(63)
  .regex(VALUE, noValue)
  .meta(rules({ rule: `self.matches('${VALUE.source}')`, message: noValue }));

const requirement = z
  .strictObject({
    key: key.meta(rules({ rule: `self.${KEY_IN_CEL}`, message: noKey })).describe('the label this is about'),
    operator: z
      .enum(['In', 'NotIn', 'Exists', 'DoesNotExist'])
      .describe(
        'In: the label has one of the values; NotIn: it has none of them, or is not there; Exists, DoesNotExist: whatever its value',
      ),
    values: z.array(value).max(64).default([]).meta(listAtomic).describe('for In and NotIn, at least one; for the others none'),
  })
  .superRefine(({ operator, values }, context) => {
    const needs = operator === 'In' || operator === 'NotIn';
    if (needs === values.length > 0) return;
    const message = needs
      ? `must have at least one entry with operator ${operator}`
      : `must be empty with operator ${operator}: leave it out`;
    context.addIssue({ code: 'custom', path: ['values'], message });
  })
  .meta(
    rules(
      {
        rule: "!(self.operator in ['In', 'NotIn']) || size(self.values) > 0",
        message: 'values must have at least one entry with operator In or NotIn: add one, or write Exists or DoesNotExist',
        field: '.values',
      },
      {
        rule: "self.operator in ['In', 'NotIn'] || size(self.values) == 0",
        message: 'values must be empty with operator Exists or DoesNotExist: leave it out, or write In or NotIn',
        field: '.values',
      },
    ),
  );

/** A selector as it stands in an object. */
export const labelSelector = z
  .strictObject({
    matchLabels: z
      .record(key, value)
      .default({})
      .meta({
        maxProperties: 64,
        'x-kubernetes-map-type': 'granular',
        ...rules({ rule: `self.all(key, key.${KEY_IN_CEL})`, message: noKeys }),
      })
      .describe('labels that must have exactly these values'),
    matchExpressions: z.array(requirement).max(64).default([]).meta(listAtomic).describe('further requirements, all of which must hold'),
  })
  .meta({ 'x-kubernetes-map-type': 'atomic' });

/** A selector that was read. */
export type LabelSelector = z.infer<typeof labelSelector>;

/** Whether an object with these labels is selected; `selector` undefined selects nothing. */
export function matches(selector: LabelSelector | undefined, labels: Labels): boolean {
  if (selector === undefined) return false;
  const { matchLabels, matchExpressions } = selector;
  return (
    Object.entries(matchLabels).every(([name, wanted]) => valueOf(labels, name) === wanted) &&
    matchExpressions.every((one) => holds(one, valueOf(labels, one.key)))
  );
}

function holds({ operator, values }: z.infer<typeof requirement>, found: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return found !== undefined && values.includes(found);
    case 'NotIn':
      return found === undefined || !values.includes(found);
    case 'Exists':
      return found !== undefined;
    case 'DoesNotExist':
      return found === undefined;
    default:
      return operator satisfies never;
  }
}

/** A label called `constructor` is not there unless it is there. */
function valueOf(labels: Labels, name: string): string | undefined {
  return Object.hasOwn(labels, name) ? labels[name] : undefined;
}

/** The selector in one line as kubectl writes it: `app=web,tier in (a,b),!old`; `everything` for the empty one. */
export function saySelector({ matchLabels, matchExpressions }: LabelSelector): string {
  const parts = Object.entries(matchLabels).map(([name, wanted]) => `${name}=${wanted}`);
  for (const { key: name, operator, values } of matchExpressions) {
    if (operator === 'Exists') parts.push(name);
    else if (operator === 'DoesNotExist') parts.push(`!${name}`);
    else parts.push(`${name} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`);
  }
  return parts.length === 0 ? 'everything' : parts.join(',');
}
