/** A subcommand as all of ours are: what it is for, and an example. */
import type { Command } from 'commander';

/** Adds it to `parent`. Wrong use throws CommanderError. */
export function sub(parent: Command, name: string, what: string, example: string): Command {
  return parent.command(name).description(what).exitOverride().addHelpText('after', `\nExample:\n  ${example}`);
}
