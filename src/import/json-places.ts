/**
 * JSON with the place of every key: dumps of a cluster have tens of megabytes, for which a YAML parser takes minutes, and JSON.parse forgets where things
 * stand and which key stood twice.
 */
import type { Key } from '../store/config-problem.ts';

/** Deeper nesting than any dump has; the reader descends. */
const DEEPEST = 200;

/** What was read. */
export interface JsonPlaces {
  readonly value: unknown;
  /** Where the key of a mapping or the member of a list begins, in characters from the start. */
  placeOf(parent: object, key: Key): number | undefined;
  /** Keys that stand twice in one mapping, by where the second stands. */
  readonly twice: readonly { readonly key: string; readonly at: number }[];
}

/** Says where the text ceases to be JSON. */
export class JsonMistake extends Error {
  /** In characters from the start. */
  readonly at: number;

  constructor(what: string, at: number) {
    super(what);
    this.at = at;
  }
}

/** Reads one value that fills the text (RFC 8259). @throws JsonMistake. */
export function readJson(text: string): JsonPlaces {
  const reader = new Reader(text);
  const value = reader.whole();
  return { value, placeOf: (parent, key) => reader.places.get(parent)?.get(key), twice: reader.twice };
}

const SCALAR = /-?\d[-+.\deE]*|true|false|null/y;
const STRING = /"(?:[^"\\]|\\.)*"/sy;

/** The text from a place that moves. */
class Reader {
  readonly places = new WeakMap<object, Map<Key, number>>();
  readonly twice: { readonly key: string; readonly at: number }[] = [];
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): unknown {
    const value = this.#value(0);
    this.#blanks();
    if (this.#at < this.#text.length) throw this.#unexpected();
    return value;
  }

  #value(depth: number): unknown {
    if (depth > DEEPEST) throw new JsonMistake(`nested deeper than ${DEEPEST}`, this.#at);
    this.#blanks();
    switch (this.#text[this.#at]) {
      case '"':
        return this.#token(STRING);
      case '[':
        return this.#list(depth);
      case '{':
        return this.#mapping(depth);
      default:
        return this.#token(SCALAR);
    }
  }

  #list(depth: number): unknown[] {
    const [list, own]: [unknown[], Map<Key, number>] = [[], new Map()];
    this.#members(']', () => {
      own.set(list.length, this.#at);
      list.push(this.#value(depth + 1));
    });
    this.places.set(list, own);
    return list;
  }

  #mapping(depth: number): Record<string, unknown> {
    const own = new Map<Key, number>();
    // Without a prototype "__proto__" is a key like any other; an empty object is one of any values.
    const mapping = Object.create(null) as Record<string, unknown>;
    this.#members('}', () => {
      const at = this.#at;
      const key = String(this.#token(STRING));
      this.#blanks();
      if (this.#text[this.#at] !== ':') throw this.#unexpected();
      this.#at++;
      if (own.has(key)) this.twice.push({ key, at });
      own.set(key, at);
      mapping[key] = this.#value(depth + 1);
    });
    this.places.set(mapping, own);
    return mapping;
  }

  /** From the opening bracket to behind the closing one. */
  #members(end: string, member: () => void): void {
    this.#at++;
    this.#blanks();
    if (this.#text[this.#at] === end) {
      this.#at++;
      return;
    }
    for (;;) {
      member();
      this.#blanks();
      const next = this.#text[this.#at];
      if (next !== end && next !== ',') throw this.#unexpected();
      this.#at++;
      if (next === end) return;
      this.#blanks();
    }
  }

  /** A text, a number or a word, as JSON.parse reads it. */
  #token(pattern: RegExp): unknown {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined) throw this.#unexpected();
    try {
      const value: unknown = JSON.parse(found);
      this.#at += found.length;
      return value;
    } catch {
      throw this.#unexpected();
    }
  }

  #blanks(): void {
    while (' \n\r\t'.includes(this.#text[this.#at] ?? '?')) this.#at++;
  }

  #unexpected(): JsonMistake {
    const found = this.#text[this.#at];
    return new JsonMistake(found === undefined ? 'the text ends too early' : `${JSON.stringify(found)} does not belong here`, this.#at);
  }
}
