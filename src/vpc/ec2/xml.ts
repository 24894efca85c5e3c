/** EC2's answers: XML without attributes, lists as `item`, absent instead of null. */

/** What an answer is made of. A list becomes `<name><item>…</item></name>`. */
export type Shown = string | number | boolean | undefined | readonly Shown[] | { readonly [name: string]: Shown };

/** The version of the API that this front speaks. */
export const VERSION = '2016-11-15';
const PROLOGUE = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** The answer of an action. */
export function answerXml(action: string, requestId: string, fields: { readonly [name: string]: Shown }): string {
  const name = `${action}Response`;
  const inside = Object.entries({ requestId, ...fields }).map(([field, value]) => element(field, value));
  return `${PROLOGUE}<${name} xmlns="http://ec2.amazonaws.com/doc/${VERSION}/">${inside.join('')}</${name}>`;
}

/** The envelope of a refusal. */
export function errorXml(code: string, message: string, requestId: string): string {
  const error = element('Errors', { Error: { Code: code, Message: message } });
  return `${PROLOGUE}<Response>${error}${element('RequestID', requestId)}</Response>`;
}

/** A moment as EC2 writes it. */
export function timeOf(at_ms: number): string {
  return new Date(at_ms).toISOString();
}

function element(name: string, value: Shown): string {
  if (value === undefined) return '';
  const inside = contentOf(value);
  return inside === '' ? `<${name}/>` : `<${name}>${inside}</${name}>`;
}

function contentOf(value: Exclude<Shown, undefined>): string {
  if (typeof value !== 'object') return escaped(String(value));
  if (isList(value)) return value.map((item) => element('item', item)).join('');
  return Object.entries(value)
    .map(([name, inner]) => element(name, inner))
    .join('');
}

/** Array.isArray alone does not know lists that are read-only. */
function isList(value: object): value is readonly Shown[] {
  return Array.isArray(value);
}

function escaped(text: string): string {
  return text.replace(/[&<>"\r]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
