/** A VPC in a process of its own, to be killed: `node program.ts STATE_DIR NAME` prints its URL. */
import { startVpc } from '../../src/vpc/start.ts';
import { createLog } from '../../src/log.ts';

const [stateDir = '', name = ''] = process.argv.slice(2);
const { url } = await startVpc({ stateDir, name, listen: '127.0.0.1:0', log: createLog('vpc', 'error') });
console.log(url);
