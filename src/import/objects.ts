/** Objects of Kubernetes in dumps: lists are their members. */
import { type Account, below, membersOf, type Setting, wholeOf } from './account.ts';
import type { Document } from './document.ts';

/** One object, or whatever else a document is. */
export interface Found {
  /** Empty for what is no object of Kubernetes. */
  readonly kind: string;
  readonly apiVersion: string;
  /** Empty without one. */
  readonly name: string;
  readonly namespace: string;
  readonly object: Setting;
}

/** Every object in the documents, in order. */
export function objectsIn(documents: readonly Document[], account: Account): Found[] {
  return documents.flatMap((document) => unfold(wholeOf(document), account));
}

function unfold(object: Setting, account: Account): Found[] {
  const text = (...keys: string[]): string => {
    const { value } = below(object, ...keys);
    return typeof value === 'string' ? value : '';
  };
  const kind = text('kind');
  const items = below(object, 'items');
  if (kind.endsWith('List') && Array.isArray(items.value)) {
    const ofMembers = kind.slice(0, -'List'.length);
    // Members of typed lists may come without a kind of their own.
    return membersOf(account, items).flatMap((member) =>
      unfold(member, account).map((found) => (found.kind === '' && ofMembers !== '' ? { ...found, kind: ofMembers } : found)),
    );
  }
  return [{ kind, apiVersion: text('apiVersion'), name: text('metadata', 'name'), namespace: text('metadata', 'namespace'), object }];
}

/** What it is, for somebody who gave the wrong file. */
export function sayFound({ kind, name, object }: Found): string {
  if (kind !== '') return `${kind} ${name}`.trim();
  const { value } = object;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === 'object' && value !== null ? `an object with the keys ${Object.keys(value).slice(0, 5).join(', ')}` : 'no object';
}
