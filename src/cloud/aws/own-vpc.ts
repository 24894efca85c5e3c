/** The VPC that this instance is in. */
import { failure } from '../../errors/failure.ts';
import type { Connections } from '../wire/http.ts';
import { metadataOf } from './credentials/metadata.ts';
import { Trouble } from './credentials/source.ts';

/** Of its first interface, by the metadata. @throws Failure cloudInvalid when there is none to ask */
export async function vpcOfInstance(env: Readonly<Record<string, string | undefined>>, connections: Connections): Promise<string> {
  try {
    const ask = await metadataOf(env, connections);
    const mac = (await ask('mac'))?.trim();
    const vpc = (await ask(`network/interfaces/macs/${mac ?? ''}/vpc-id`))?.trim();
    if (vpc === undefined || !/^vpc-[0-9a-f]+$/.test(vpc)) throw new Trouble('it does not tell the VPC');
    return vpc;
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    const text = `which VPC? The configuration does not name it, and the metadata service: ${error.message}`;
    throw failure('cloudInvalid', { cloud: 'aws', call: 'its configuration', text });
  }
}
