/** Bytes into lines: how a watch comes (one JSON text a line). */

/** A line that is longer than anything an API server stores. */
export class LineTooLong extends Error {}

/** Takes bytes as they come. */
export interface LineDecoder {
  /** Calls `line` for each line that is complete now, without its end; empty lines are left out. @throws LineTooLong, and whatever `line` throws */
  push(bytes: Uint8Array): void;
  /** Bytes of a line that was not ended. */
  readonly rest: number;
}

const NEWLINE = 0x0a;

/** Lines end with \n, and are UTF-8 whatever the bytes: cuts may fall anywhere, also inside a character. At most `limit` bytes are held. */
export function lineDecoder(limit: number, line: (text: string) => void): LineDecoder {
  let parts: Uint8Array[] = [];
  let length = 0;
  const hold = (part: Uint8Array): void => {
    length += part.length;
    if (length > limit) throw new LineTooLong(`a line of more than ${limit} bytes`);
    if (part.length > 0) parts.push(part);
  };
  const take = (): string => {
    const text = Buffer.concat(parts, length).toString('utf8');
    [parts, length] = [[], 0];
    return text;
  };
  return {
    get rest() {
      return length;
    },
    push(bytes) {
      let from = 0;
      for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
        hold(bytes.subarray(from, end));
        from = end + 1;
        const text = take();
        if (text.trim() !== '') line(text);
      }
      hold(bytes.subarray(from));
    },
  };
}
