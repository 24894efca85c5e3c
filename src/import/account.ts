/**
 * The account of an import: what became of every setting that was read.
 *
 * Invariants
 * - every key of a part that was opened is accounted for: taken over, there under another name, without equal, or a mistake; whatever no reader asked for is
 *   named by `close()`
 * - the value of a key that nobody knows is never repeated: it may be a secret
 */
import { nearest } from '../store/known-keys.ts';
import { show } from '../store/say-issue.ts';
import type { Key } from '../store/config-problem.ts';
import { type Document, documentsWithin, type Mistake } from './document.ts';

/** What became of a setting: written into our documents, there in another form or by itself, not there, or up to the user. */
export type Fate = 'taken' | 'equal' | 'none' | 'left';

/** One line of the account. */
export interface Entry {
  readonly fate: Fate;
  /** `file:line`, or the document of ours that is to be completed. */
  readonly from: string;
  readonly key: string;
  /** As it was written, shortened; empty for what nobody knows. */
  readonly value: string;
  /** taken: where it went; equal: what does it here; none: why not; left: what is missing. */
  readonly text: string;
  /** What the reader can do; empty when there is nothing to be done. */
  readonly remedy: string;
}

/** One setting, where it stands and what it says. */
export interface Setting {
  readonly document: Document;
  readonly path: readonly Key[];
  /** As people call it. */
  readonly name: string;
  readonly value: unknown;
}

/** See the head of this file. */
export class Account {
  readonly entries: Entry[] = [];
  readonly mistakes: Mistake[] = [];
  readonly #open: Part[] = [];

  /** It is in our documents now. */
  taken(setting: Setting, where: string, remedy = ''): void {
    this.#add('taken', setting, where, remedy);
  }

  /** Flatpod has it, by another name or by itself. */
  equal(setting: Setting, how: string): void {
    this.#add('equal', setting, how, '');
  }

  /** Flatpod has it not. */
  none(setting: Setting, why: string, remedy: string): void {
    this.#add('none', setting, why, remedy);
  }

  /** The user must add it. `of`: which of our documents. */
  left(of: string, field: string, text: string, remedy = ''): void {
    this.entries.push({ fate: 'left', from: of, key: field, value: '', text, remedy });
  }

  /** It cannot be read, so nothing is imported. */
  wrong({ document, path, name }: Setting, what: string, remedy: string): void {
    this.mistakes.push({ file: document.file, line: document.lineOf(path), key: name, what, remedy });
  }

  /** A mapping of which every key is to be accounted for; `of` says whose keys they are. Anything but a mapping is a mistake. */
  part(setting: Setting, of: string): Part {
    const { value } = setting;
    const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (!isMapping && value !== undefined && value !== null) this.wrong(setting, `must be a mapping of keys, not ${show(value)}`, '');
    const part = new Part(setting, isMapping ? Object.entries(value) : [], of);
    this.#open.push(part);
    return part;
  }

  /** The one document of a text that stands in a setting; undefined when it is none, which is a mistake. */
  within(setting: Setting): Setting | undefined {
    if (typeof setting.value !== 'string') {
      this.wrong(setting, `must be a text, not ${show(setting.value)}`, '');
      return undefined;
    }
    const read = documentsWithin(setting.document, setting.path, setting.value);
    if ('mistakes' in read) this.mistakes.push(...read.mistakes.map((mistake) => ({ ...mistake, key: joined(setting.name, mistake.key) })));
    else if (read.length > 1) this.wrong(setting, `must hold one document, not ${read.length}`, '');
    const [document] = 'mistakes' in read ? [] : read;
    return document === undefined ? undefined : { document, path: [], name: setting.name, value: document.value };
  }

  /** Names every key that nobody asked for. */
  close(): void {
    for (const part of this.#open.splice(0)) {
      for (const setting of part.rest()) {
        const near = nearest(setting.name, part.known());
        const why = `no key of ${part.of} that Flatpod knows`;
        const { document, path, name } = setting;
        this.entries.push({
          fate: 'none',
          from: `${document.file}:${document.lineOf(path)}`,
          key: name,
          value: '',
          text: why,
          remedy: near === undefined ? 'look up what it does there' : `did you mean ${near}?`,
        });
      }
    }
  }

  #add(fate: Fate, { document, path, name, value }: Setting, text: string, remedy: string): void {
    const from = `${document.file}:${document.lineOf(path)}`;
    this.entries.push({ fate, from, key: name, value: value === undefined ? '' : show(value), text, remedy });
  }
}

/** A mapping that is being read. */
export class Part {
  readonly of: string;
  readonly #whole: Setting;
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #asked = new Set<string>();

  constructor(whole: Setting, entries: readonly (readonly [string, unknown])[], of: string) {
    this.of = of;
    this.#whole = whole;
    this.#values = new Map(entries);
  }

  /** The setting of that key, which is accounted for by whoever asks; undefined when it is not there, or null. */
  get(key: string): Setting | undefined {
    this.#asked.add(key);
    return this.#values.get(key) === null || !this.#values.has(key) ? undefined : this.#setting(key);
  }

  /** The keys it has, in order. */
  keys(): string[] {
    return [...this.#values.keys()];
  }

  /** What nobody asked for. */
  rest(): Setting[] {
    return this.keys().flatMap((key) => (this.#asked.has(key) ? [] : [this.#setting(key)]));
  }

  /** The keys that were asked for, there or not. */
  known(): string[] {
    return [...this.#asked];
  }

  #setting(key: string): Setting {
    const { document, path, name } = this.#whole;
    return { document, path: [...path, key], name: joined(name, key), value: this.#values.get(key) };
  }
}

/** The members of a list; anything else is one mistake. */
export function membersOf(account: Account, list: Setting): Setting[] {
  if (!Array.isArray(list.value)) {
    account.wrong(list, `must be a list, not ${show(list.value)}`, '');
    return [];
  }
  return list.value.map((value: unknown, i) => ({ document: list.document, path: [...list.path, i], name: `${list.name}[${i}]`, value }));
}

/** The document as a setting without a name. */
export function wholeOf(document: Document): Setting {
  return { document, path: [], name: '', value: document.value };
}

/** The setting below it, read or not: for objects of which only some fields are ours to account for. */
export function below({ document, path, name, value }: Setting, ...keys: readonly Key[]): Setting {
  const found = keys.reduce<unknown>(
    // Indexing by name is what a path is for; anything but an object ends it.
    (at, key) => (typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as Record<Key, unknown>)[key] : undefined),
    value,
  );
  const said = keys.reduce<string>((text, key) => (typeof key === 'number' ? `${text}[${key}]` : joined(text, key)), name);
  return { document, path: [...path, ...keys], name: said, value: found };
}

function joined(name: string, key: string): string {
  return [name, key.slice(0, 64)].filter((part) => part !== '').join('.');
}
