/**
 * The parameters of EC2's query protocol: flat names such as `Filter.1.Value.2`. Each action reads what it knows; what is left over is refused, and so are
 * lists with gaps and parameters given twice.
 */
import { Refused } from './refused.ts';

/** The parameters below a prefix. Readers give undefined, or an empty list, for what is absent. */
export interface Parameters {
  text(name: string): string | undefined;
  /** @throws Refused MissingParameter. */
  needed(name: string): string;
  /** A whole number. @throws Refused InvalidParameterValue. */
  whole(name: string, least: number, most: number): number | undefined;
  /** @throws Refused InvalidParameterValue. */
  flag(name: string): boolean | undefined;
  /** `Name.1`, `Name.2` … @throws Refused MalformedQueryString. */
  texts(name: string): string[];
  /** `Name.1.…`, `Name.2.…` … */
  items(name: string): Parameters[];
  /** `Name.…`; undefined when there is none. */
  part(name: string): Parameters | undefined;
  /** To be called when all that is known was read. @throws Refused UnknownParameter. */
  end(): void;
}

/** @throws Refused InvalidQueryParameter, InvalidCharacter. */
export function parametersOf(form: URLSearchParams): Parameters {
  const given = new Map<string, string>();
  for (const [name, value] of form) {
    if (given.has(name)) throw new Refused('InvalidQueryParameter', `The parameter ${name} is given more than once`);
    // What XML 1.0 cannot carry could never be read back.
    // oxlint-disable-next-line no-control-regex
    if (/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(value))
      throw new Refused('InvalidCharacter', `The value of ${name} has an invalid character`);
    given.set(name, value);
  }
  return below(given, new Set(), '');
}

function below(given: ReadonlyMap<string, string>, read: Set<string>, prefix: string): Parameters {
  const text = (name: string): string | undefined => {
    read.add(prefix + name);
    return given.get(prefix + name);
  };
  const numbers = (name: string): number => {
    const start = `${prefix}${name}.`;
    const found = new Set<number>();
    for (const key of given.keys()) {
      if (!key.startsWith(start)) continue;
      const number = /^([1-9]\d{0,4})(?=\.|$)/.exec(key.slice(start.length))?.[1];
      if (number === undefined) throw new Refused('MalformedQueryString', `${key} is no element of a list`);
      found.add(Number(number));
    }
    if (found.size > 0 && Math.max(...found) !== found.size) throw new Refused('MalformedQueryString', `The list ${start}n has gaps`);
    return found.size;
  };
  const each = <T>(name: string, one: (at: string) => T): T[] => Array.from({ length: numbers(name) }, (_, i) => one(`${name}.${i + 1}`));
  return {
    text,
    needed(name) {
      const value = text(name);
      if (value === undefined || value === '')
        throw new Refused('MissingParameter', `The request must contain the parameter ${prefix}${name}`);
      return value;
    },
    whole(name, least, most) {
      const value = text(name);
      if (value === undefined) return undefined;
      if (/^-?\d{1,10}$/.test(value) && Number(value) >= least && Number(value) <= most) return Number(value);
      throw new Refused(
        'InvalidParameterValue',
        `Value ( ${value} ) for parameter ${prefix}${name} is invalid. Expecting a value between ${least} and ${most}.`,
      );
    },
    flag(name) {
      const value = text(name);
      if (value === undefined || value === 'true' || value === 'false') return value === undefined ? undefined : value === 'true';
      throw new Refused('InvalidParameterValue', `Value (${value}) for parameter ${prefix}${name} is invalid. It is not a boolean`);
    },
    texts: (name) =>
      each(name, (at) => {
        const value = text(at);
        if (value === undefined) throw new Refused('MalformedQueryString', `${prefix}${at} is no value`);
        return value;
      }),
    items: (name) => each(name, (at) => below(given, read, `${prefix}${at}.`)),
    part: (name) =>
      [...given.keys()].some((key) => key.startsWith(`${prefix}${name}.`)) ? below(given, read, `${prefix}${name}.`) : undefined,
    end() {
      for (const name of given.keys()) {
        if (!read.has(name)) throw new Refused('UnknownParameter', `The parameter ${name} is not recognized`);
      }
    },
  };
}
