/** The format of ~/.aws/config and ~/.aws/credentials: sections of keys and values. */

/** Values by key, by section. */
export type Sections = ReadonlyMap<string, ReadonlyMap<string, string>>;

/**
 * Reads a file. Keys are in lower case; a line that begins with a blank belongs to the one before (settings of single services, of which we need none).
 * A line that is nothing of all that is skipped: the file is not ours, and other programs' lines in it are their affair.
 */
export function iniOf(text: string): Sections {
  const sections = new Map<string, Map<string, string>>();
  let section: Map<string, string> | undefined;
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*([#;]|$)/.test(line) || /^\s/.test(line)) continue;
    const name = /^\[\s*([^\]]*?)\s*\]/.exec(line)?.[1];
    if (name !== undefined) {
      section = sections.get(name) ?? new Map<string, string>();
      sections.set(name, section);
      continue;
    }
    const equals = line.indexOf('=');
    if (equals > 0) section?.set(line.slice(0, equals).trim().toLowerCase(), withoutComment(line.slice(equals + 1)));
  }
  return sections;
}

/** A comment in a line has a blank before it: keys may have `#` in them. */
function withoutComment(value: string): string {
  return value.replace(/\s[#;].*$/, '').trim();
}
