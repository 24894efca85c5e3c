/** The flatpod command. */

// A runtime waits for this one: without the parser of options and the list of all commands.
const started =
  process.argv[2] === 'cni' && process.argv.length === 3
    ? import('./cli/cni.ts').then(({ answerOnce }) => answerOnce(process.env['FLATPOD_STATE'] ?? '/var/lib/flatpod'))
    : import('./cli/program.ts').then(({ main }) => main(process.argv));
// Not awaited at the top level: the bundle is CommonJS. What can fail is answered inside; anything else ends the process with its stack.
void started;
