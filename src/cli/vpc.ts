/** `flatpod vpc`: runs until a signal; the network stays, the state too. */
import { failure } from '../errors/failure.ts';
import { createLog } from '../log.ts';
import { tryParseCidr } from '../net/cidr.ts';
import { startVpc } from '../vpc/start.ts';
import { untilSignal } from './signal.ts';
import { type FrontArguments, frontsOf } from './vpc-fronts.ts';

/** Options of `flatpod vpc`, as typed. */
export interface VpcArguments extends FrontArguments {
  readonly name: string;
  readonly listen: string;
  readonly state: string;
  readonly cidr?: readonly string[];
  readonly mtu?: string;
  readonly fabric: boolean;
}

/** Runs until a signal. @throws Failure vpcOptions, vpcState, vpcListen, vpcFabric. */
export async function runVpc({ name, listen, state, cidr, mtu, fabric, ...fronts }: VpcArguments): Promise<number> {
  const cidrs = cidr?.map((text) => {
    const block = tryParseCidr(text);
    if (block !== undefined) return block;
    throw failure('vpcOptions', {
      option: '--cidr',
      value: text,
      text: 'it is no CIDR block',
      remedy: 'write it like 10.20.0.0/16, host bits zero',
    });
  });
  const bytes = mtu === undefined ? undefined : Number(mtu);
  if (bytes !== undefined && !(Number.isInteger(bytes) && bytes >= 1280 && bytes <= 9216)) {
    throw failure('vpcOptions', { option: '--mtu', value: mtu ?? '', text: 'it is no MTU', remedy: 'use 1280 to 9216 bytes' });
  }
  const log = createLog('vpc');
  const vpc = await startVpc({
    name,
    listen,
    stateDir: state,
    fabric,
    log,
    ...(cidrs !== undefined && { cidrs }),
    ...(bytes !== undefined && { mtu: bytes }),
    fronts: frontsOf(fronts),
  });
  log.info(`VPC ${name} serves on ${vpc.url}`, { url: vpc.url });
  await untilSignal();
  await vpc.stop();
  return 0;
}
