/** FP500–FP519: what is taken over from another system's files. */
import type { ErrorEntry } from '../entry.ts';

/** Entries of this area, by name. */
export const importErrors = {
  importFileUnreadable: {
    code: 500,
    cni: 500,
    message: '{path} cannot be read for the import',
    details: '{reason}',
    hint: 'give a regular file that this user may read; nothing was written',
  },
  importMistaken: {
    code: 501,
    cni: 501,
    message: 'nothing was imported: there are {count} mistakes in what is to be read',
    details: '{list}',
    hint: 'correct them, or leave the file out; docs/migrate tells which files are read',
  },
  importNothing: {
    code: 502,
    cni: 502,
    message: 'there is nothing of {system} in these files',
    details: '{found}',
    hint: '{wanted}',
  },
  importOutputTaken: {
    code: 503,
    cni: 503,
    message: 'the import is not written to {directory}',
    details: '{reason}',
    hint: 'name another directory with --output; what is there stays as it is',
  },
} as const satisfies Record<string, ErrorEntry>;
