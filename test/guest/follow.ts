/** Files that grow. */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';

/** How often it is looked at. */
const LOOK_ms = 100;

/** Reads a file as it grows. `end` reads the rest and returns all of it. */
export function follow(file: string, show?: (text: string) => void): { end(): string } {
  const [decoder, buffer] = [new TextDecoder(), Buffer.alloc(64 * 1024)];
  let [fd, all]: [number | undefined, string] = [undefined, ''];
  const look = (): void => {
    if (fd === undefined && existsSync(file)) fd = openSync(file, 'r');
    if (fd === undefined) return;
    for (let length = readSync(fd, buffer); length > 0; length = readSync(fd, buffer)) {
      const text = decoder.decode(buffer.subarray(0, length), { stream: true });
      all += text;
      show?.(text);
    }
  };
  const timer = setInterval(look, LOOK_ms);
  let ended = false;
  return {
    end() {
      if (ended) return all;
      ended = true;
      clearInterval(timer);
      look();
      if (fd !== undefined) closeSync(fd);
      return all;
    },
  };
}
