/** The query protocol of EC2 and STS: a call is a form of flat names, `Filter.1.Value.2=…`. */

/** A parameter: lists are numbered from 1, fields of a structure follow a dot. What is undefined is left out, and so is an empty list. */
export type Parameter = string | number | boolean | undefined | readonly Parameter[] | { readonly [name: string]: Parameter };

/** Parameters of a call by their names on the wire. */
export type Parameters = { readonly [name: string]: Parameter };

/** The body of the call. `version`: of the API, a date. */
export function formOf(action: string, version: string, parameters: Parameters): string {
  const form = new URLSearchParams({ Action: action, Version: version });
  for (const [name, value] of Object.entries(parameters)) add(form, name, value);
  return form.toString();
}

function add(form: URLSearchParams, name: string, value: Parameter): void {
  if (value === undefined) return;
  if (typeof value !== 'object') form.append(name, String(value));
  // A list's type says readonly, which Array.isArray does not narrow.
  else if (Array.isArray(value)) (value as readonly Parameter[]).forEach((item, i) => add(form, `${name}.${i + 1}`, item));
  else for (const [field, item] of Object.entries(value)) add(form, `${name}.${field}`, item);
}

/** Most values that a filter takes. */
export const mostValues = 200;

/** A condition of a list. Values are meant as they are: EC2 reads `*` and `?` as wildcards unless a backslash is before them. */
export function filter(name: string, values: readonly string[]): Parameter {
  return { Name: name, Value: values.map((value) => value.replace(/[\\*?]/g, '\\$&')) };
}
