/** Aligned text tables: columns as wide as their widest cell, two spaces apart, colour only on a terminal. */
import { stripVTControlCharacters, styleText } from 'node:util';

/** Where text goes: decides about colour. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/** How a text may look on a terminal. */
export type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan';

/** The text in that style when `output` is a terminal and NO_COLOR is not set. */
export function styled(output: Output, style: Style, text: string): string {
  return output.isTTY === true && process.env['NO_COLOR'] === undefined ? styleText(style, text, { validateStream: false }) : text;
}

/** Rows under a heading; every line ends with a newline. No rows: the heading and `(none)`. */
export function table(output: Output, heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heading.map((cell, column) => Math.max(...[cell, ...rows.map((row) => row[column] ?? '')].map(widthOf)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - widthOf(cell))))
      .join('  ')
      .trimEnd();
  const body = rows.length === 0 ? ['(none)'] : rows.map(line);
  return [styled(output, 'bold', line(heading)), ...body].map((text) => `${text}\n`).join('');
}

function widthOf(cell: string): number {
  return stripVTControlCharacters(cell).length;
}
