/** `flatpod cni`, in a bundle of its own: a runtime waits for it, and reading all of the command would take most of the time. */
import { answerOnce } from './cli/cni.ts';

const state = process.env['FLATPOD_STATE'] ?? '/var/lib/flatpod';
const [, , , crowd, path = ''] = process.argv;
// Not awaited at the top level: the bundle is CommonJS. What a crowd needs is read by who answers one.
if (crowd === 'crowd') void import('./cli/cni-crowd.ts').then(({ answerCrowd }) => answerCrowd(state, path));
else void answerOnce(state);
