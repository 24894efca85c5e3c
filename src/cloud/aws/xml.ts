/**
 * Reads the XML that EC2 and STS answer with, exactly and no more: elements, text, entities, CDATA. Attributes are skipped (none carries data), a document
 * type is refused (nothing here needs one, and entities of its own are an attack).
 */
import { Unreadable } from '../wire/http.ts';

/** Text, or the elements inside by name. A name that is a list's member always stands for a list, also of one. */
export type XmlValue = string | XmlFields;
/** The elements inside of one. */
interface XmlFields {
  readonly [name: string]: XmlValue | readonly XmlValue[];
}

/** What lists are made of: EC2 writes `item`, STS `member`, and errors come in a list of their own. */
const members = new Set(['item', 'member', 'Error']);
const deepest = 32;
const tag = /<([A-Za-z_][\w.:-]*)(?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*(\/?)>/y;

/** The document's one element. @throws Unreadable with the place where it is wrong */
export function xmlOf(text: string): { readonly name: string; readonly value: XmlValue } {
  const reader = new Reader(text);
  reader.skipToTag();
  const root = reader.element(0);
  reader.end();
  return root;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    // The mark of the byte order is no part of the document.
    if (text.startsWith('\ufeff')) this.#at = 1;
  }

  /** Past what may stand before the root: the declaration, comments and white space. */
  skipToTag(): void {
    for (;;) {
      this.#skipSpace();
      if (this.#text.startsWith('<?', this.#at)) this.#past('?>');
      else if (this.#text.startsWith('<!--', this.#at)) this.#past('-->');
      else return;
    }
  }

  /** Nothing but comments and white space may follow the root. */
  end(): void {
    this.skipToTag();
    if (this.#at < this.#text.length) this.#wrong('nothing after the end');
  }

  element(depth: number): { name: string; value: XmlValue } {
    if (depth > deepest) this.#wrong(`at most ${deepest} elements inside each other`);
    const { name, isEmpty } = this.#open();
    return { name, value: isEmpty ? '' : this.#inside(name, depth) };
  }

  /** All up to the element's end. */
  #inside(name: string, depth: number): XmlValue {
    const fields: Record<string, XmlValue | XmlValue[]> = Object.create(null) as Record<string, never>;
    let words = '';
    let isText = true;
    for (;;) {
      words += this.#words();
      if (this.#text.startsWith('</', this.#at)) break;
      if (this.#text.startsWith('<!--', this.#at)) this.#past('-->');
      else {
        isText = false;
        this.#add(fields, this.element(depth + 1));
      }
    }
    const end = `</${name}`;
    if (!this.#text.startsWith(end, this.#at)) this.#wrong(end);
    this.#at += end.length;
    this.#skipSpace();
    if (this.#text[this.#at] !== '>') this.#wrong(`${end}>`);
    this.#at++;
    if (isText) return kept(words);
    if (words.trim() !== '') this.#wrong('text or elements, not both');
    return fields;
  }

  #add(fields: Record<string, XmlValue | XmlValue[]>, { name, value }: { name: string; value: XmlValue }): void {
    const before = fields[name];
    if (Array.isArray(before)) before.push(value);
    else if (before !== undefined) this.#wrong(`${name} once`);
    else fields[name] = members.has(name) ? [value] : value;
  }

  /** `<name attribute="…">` */
  #open(): { name: string; isEmpty: boolean } {
    tag.lastIndex = this.#at;
    const [whole, name, slash] = tag.exec(this.#text) ?? this.#wrong('an element');
    this.#at += whole.length;
    // The pattern has a name, or it would not have matched.
    return { name: name ?? '', isEmpty: slash === '/' };
  }

  /** Text up to the next element or comment; CDATA as it is. */
  #words(): string {
    let words = '';
    for (;;) {
      const next = this.#text.indexOf('<', this.#at);
      if (next < 0) this.#wrong('the end of an element');
      words += this.#decoded(this.#text.slice(this.#at, next));
      this.#at = next;
      const cdata = '<![CDATA[';
      if (!this.#text.startsWith(cdata, this.#at)) return words;
      const from = this.#at + cdata.length;
      this.#past(']]>');
      words += this.#text.slice(from, this.#at - 3);
    }
  }

  #decoded(text: string): string {
    if (!text.includes('&')) return text;
    return text.replace(/&(#x[0-9a-fA-F]{1,6}|#[0-9]{1,7}|\w+)?;?/g, (whole, entity: string | undefined) => {
      const known = entity === undefined || !whole.endsWith(';') ? undefined : character(entity);
      return known ?? this.#wrong('an entity of XML');
    });
  }

  #past(end: string): void {
    const found = this.#text.indexOf(end, this.#at);
    if (found < 0) this.#wrong(end);
    this.#at = found + end.length;
  }

  #skipSpace(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++;
  }

  #wrong(wanted: string): never {
    const found = this.#at >= this.#text.length ? 'the end' : JSON.stringify(this.#text.slice(this.#at, this.#at + 40));
    throw new Unreadable(`no XML: ${wanted} is expected at character ${this.#at}, not ${found}`);
  }
}

const named: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function character(entity: string): string | undefined {
  if (!entity.startsWith('#')) return Object.hasOwn(named, entity) ? named[entity] : undefined;
  const code = entity.startsWith('#x') ? Number.parseInt(entity.slice(2), 16) : Number.parseInt(entity.slice(1), 10);
  return code > 0 && code <= 0x10_ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : undefined;
}

/** A copy: a part of a text keeps all of it in memory, and a page of interfaces has megabytes. */
function kept(words: string): string {
  return words.length < 13 ? words : Buffer.from(words, 'utf8').toString('utf8');
}
