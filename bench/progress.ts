/** Says on stderr how far a run is: one line that replaces itself on a terminal, lines elsewhere. */
export function progress(text: string): void {
  const line = `${new Date().toISOString().slice(11, 19)}  ${text}`;
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
}
