/** `flatpod config check`: every mistake of a configuration file, by line, field and remedy. */
import { checkConfig } from '../store/check-config.ts';
import { readConfigText } from '../store/config-file.ts';
import { styled, table } from './table.ts';

/** Prints the mistakes; 1 when there are any. @throws Failure when the file cannot be read. */
export function checkConfigFile(file: string, json: boolean): Promise<number> {
  const problems = checkConfig(readConfigText(file));
  const out = process.stdout;
  if (json) out.write(`${JSON.stringify({ file, problems })}\n`);
  else if (problems.length === 0) out.write(`${styled(out, 'green', 'right')}  ${file}\n`);
  else {
    const rows = problems.map(({ line, column, path, what, remedy }) => [`${file}:${line}:${column}`, path, what, remedy]);
    out.write(table(out, ['WHERE', 'FIELD', 'WHAT IS WRONG', 'REMEDY'], rows));
  }
  return Promise.resolve(problems.length === 0 ? 0 : 1);
}
