/** `flatpod cni`, in a bundle of its own: a runtime waits for it, and reading all of the command would take most of the time. */
import { answerOnce } from './cli/cni.ts';

// Not awaited at the top level: the bundle is CommonJS.
void answerOnce(process.env['FLATPOD_STATE'] ?? '/var/lib/flatpod');
