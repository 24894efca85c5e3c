/** FP190–FP199: configuration files. */
import type { ErrorEntry } from '../entry.ts';

/** Entries of this area, by name. */
export const configErrors = {
  configFileInvalid: {
    code: 190,
    cni: 190,
    message: 'the configuration {path} has {count} mistakes',
    details: '{list}',
    hint: 'flatpod config check {path} lists them again; docs/configuration.md names every key',
  },
  configFileMissing: {
    code: 191,
    cni: 191,
    message: 'there is no configuration file {path}',
    details: '',
    hint: 'write one (docs/configuration.md has a complete example), or leave --config out to serve only what needs no cloud',
  },
  configFileUnreadable: {
    code: 192,
    cni: 192,
    message: 'the configuration file {path} cannot be read',
    details: '{text}',
    hint: 'it must be a regular file that this user may read',
  },
  configFileTooLarge: {
    code: 193,
    cni: 193,
    message: 'the configuration file {path} is too large',
    details: 'it has {bytes} bytes; at most {limit} are read',
    hint: 'is it the right file? Each PodSubnet takes a few hundred bytes',
  },
} as const satisfies Record<string, ErrorEntry>;
