/** Which region, and where its services listen. */
import { failure } from '../../errors/failure.ts';
import type { Connections } from '../wire/http.ts';
import { metadataOf } from './credentials/metadata.ts';
import { profileRegion } from './credentials/shared-files.ts';
import { Trouble } from './credentials/source.ts';

/** What is said about the place. */
interface PlaceOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly profile?: string;
  readonly credentialsFile?: string;
  readonly region?: string;
  /** Where EC2 listens, when it is not where the region's does. */
  readonly endpoint?: string;
  /** Where STS listens, likewise. */
  readonly stsEndpoint?: string;
}

/** Where calls go. */
export interface Place {
  readonly region: string;
  readonly ec2: string;
  readonly sts: string;
}

/** Options first, then the environment, the profile, the instance's metadata. @throws Failure cloudInvalid when none says the region */
export async function placeOf(options: PlaceOptions, connections: Connections): Promise<Place> {
  const { env, endpoint, stsEndpoint } = options;
  const region = await regionOf(options, connections);
  // The two regions of China have a domain of their own. Others that have one are reached by naming the endpoint.
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const at = (service: string): string => `https://${service}.${region}.${domain}`;
  return {
    region,
    ec2: url(endpoint ?? env['AWS_ENDPOINT_URL_EC2'] ?? env['AWS_ENDPOINT_URL'] ?? at('ec2')),
    sts: url(stsEndpoint ?? env['AWS_ENDPOINT_URL_STS'] ?? env['AWS_ENDPOINT_URL'] ?? at('sts')),
  };
}

/** http, https, or a socket: what calls can be sent to. */
function url(endpoint: string): string {
  if (endpoint.startsWith('unix:/') || (URL.canParse(endpoint) && /^https?:$/.test(new URL(endpoint).protocol))) return endpoint;
  throw wrong(`endpoint ${JSON.stringify(endpoint)} is neither http://HOST:PORT, https://HOST:PORT nor unix:/PATH`);
}

async function regionOf({ region, ...where }: PlaceOptions, connections: Connections): Promise<string> {
  const { env } = where;
  const said = region ?? (env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || ofProfile(where));
  const found = said ?? (await ofInstance(env, connections));
  if (!/^[a-z]{2}[a-z0-9-]{1,30}$/.test(found)) throw wrong(`${JSON.stringify(found)} is no region`);
  return found;
}

function ofProfile(where: Omit<PlaceOptions, 'region'>): string | undefined {
  try {
    return profileRegion(where);
  } catch (error) {
    throw error instanceof Trouble ? wrong(error.message) : error;
  }
}

async function ofInstance(env: PlaceOptions['env'], connections: Connections): Promise<string> {
  try {
    const region = await (await metadataOf(env, connections))('placement/region');
    if (region !== undefined) return region.trim();
    throw new Trouble('it does not tell the region');
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    throw wrong(
      `no region: neither the configuration nor AWS_REGION nor the profile names one, and the metadata service: ${error.message}`,
    );
  }
}

function wrong(text: string): Error {
  return failure('cloudInvalid', { cloud: 'aws', call: 'its configuration', text });
}
