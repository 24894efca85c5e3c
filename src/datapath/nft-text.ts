/** Texts of nftables with this node's or this Pod's values in them. */

/** The template with words in capitals replaced by their values. A word without one stays as it is. */
export function fillIn(template: string, words: Readonly<Record<string, string>>): string {
  return template.replace(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g, (word) => words[word] ?? word);
}

/** As nft(8) and ip(8) write marks. */
export function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
