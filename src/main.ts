/** The flatpod command. */
import { main } from './cli/program.ts';

// Not awaited at the top level: the bundle is CommonJS. What can fail is answered inside; anything else ends the process with its stack.
void main(process.argv);
