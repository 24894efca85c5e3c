/** A tar archive of the ustar form (POSIX.1-2001, pax: "ustar Interchange Format"), the same bytes for the same entries: root's, at time 0, in the order given. */

/** One member. Paths are relative, without a final slash. */
export type Entry =
  | { readonly kind: 'folder'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly contents: Uint8Array }
  | { readonly kind: 'link'; readonly path: string; readonly to: string };

const BLOCK = 512;
/** Field widths of the header that we fill in. */
const NAME = 100;

/** The archive. @throws RangeError for a path or target of more than 100 bytes. */
export function tarOf(entries: readonly Entry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const contents = entry.kind === 'file' ? entry.contents : new Uint8Array();
    return [headerOf(entry, contents.length), contents, Buffer.alloc((BLOCK - (contents.length % BLOCK)) % BLOCK)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

const typeFlags = { file: '0', link: '2', folder: '5' } as const;

function headerOf(entry: Entry, size: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  const text = (value: string, at: number, width: number): void => {
    if (Buffer.byteLength(value) > width) throw new RangeError(`too long for a tar header: ${value}`);
    header.write(value, at);
  };
  const octal = (value: number, at: number, width: number): void => text(`${value.toString(8).padStart(width - 1, '0')}\0`, at, width);
  text(entry.kind === 'folder' ? `${entry.path}/` : entry.path, 0, NAME);
  octal(entry.kind === 'link' ? 0o777 : entry.mode, 100, 8);
  octal(0, 108, 8); // uid
  octal(0, 116, 8); // gid
  octal(size, 124, 12);
  octal(0, 136, 12); // mtime
  text(' '.repeat(8), 148, 8); // the checksum counts its own field as blanks
  text(typeFlags[entry.kind], 156, 1);
  if (entry.kind === 'link') text(entry.to, 157, NAME);
  text('ustar\x0000', 257, 8);
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return header;
}
