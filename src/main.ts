/** The flatpod command. */

async function start(argv: readonly string[]): Promise<void> {
  // A runtime waits for this one: without the parser of options and the list of all commands.
  if (argv[2] === 'cni' && argv.length === 3)
    await (await import('./cli/cni.ts')).answerOnce(process.env['FLATPOD_STATE'] ?? '/var/lib/flatpod');
  else await (await import('./cli/program.ts')).main(argv);
}

// Not awaited at the top level: the bundle is CommonJS. What can fail is answered inside; anything else ends the process with its stack.
void start(process.argv);
