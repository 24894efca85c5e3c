/** ControllerConfig: the one document of a controller's configuration file in a cluster. */
import * as z from 'zod';
import { type Ip, tryParseIp } from '../net/address.ts';
import { cloud } from './clouds.ts';
import { metadata, name } from './schema-parts.ts';

const noListen = 'is neither ADDRESS:PORT nor :PORT, such as 127.0.0.1:9412, [::1]:9412 or :9412';

/** Where to listen, taken apart. */
export interface Listen {
  /** Absent: every address there is. */
  readonly address?: Ip;
  readonly port: number;
}

const listen = z
  .string()
  .max(64)
  .transform((text, context): Listen => {
    const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
    const [host, port] = [bracketed ?? plain ?? '', Number(digits ?? 0)];
    const address = host === '' ? undefined : tryParseIp(host);
    const isWrong = port < 1 || port > 65_535 || bracketed === '' || (host !== '' && address === undefined);
    if (!isWrong) return { ...(address !== undefined && { address }), port };
    context.addIssue({ code: 'custom', message: `${JSON.stringify(text)} ${noListen}` });
    return z.NEVER;
  });

const controllerConfigSpec = z.strictObject({
  cluster: z
    .string()
    .min(1)
    .max(63)
    .describe("tells this cluster's interfaces from another's in the same account of the cloud; never change it while there are any"),
  cloud: cloud.describe('which cloud, and how it is reached'),
  namespace: name.default('kube-system').describe('where the Lease is by which one of the controllers leads'),
  kubeconfig: z
    .string()
    .regex(/^\//, 'an absolute path')
    .optional()
    .describe("how the API server is reached; absent: by the Pod's own service account"),
  listen: listen
    .optional()
    .describe(
      'where it answers whether it is alive (/livez) and could lead (/readyz): `ADDRESS:PORT`, or `:PORT` for every address; absent: nowhere',
    ),
  tellScheduler: z
    .boolean()
    .default(false)
    .describe(
      'whether nodes say how many Pods with addresses they may have (flatpod.dev/addresses); only together with the admission policy that has Pods ask for them',
    ),
  hostnic: z
    .strictObject({ namespace: name.default('kube-system').describe("where hostnic's ConfigMaps are") })
    .exactOptional()
    .describe(
      "have PodSubnets follow hostnic's ConfigMaps (hostnic-ipam-config, hostnic-cfg-cm, clusterconfig), VxNetPool, IPPools and IPAMBlocks as long as this is here (docs/migrate/hostnic.md); absent: PodSubnets are yours to write",
    ),
  log: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('the least severe lines that are logged'),
});

/** A ControllerConfig as it stands in a file. */
export const controllerConfig = z.strictObject({
  apiVersion: z.literal('flatpod.dev/v1alpha1'),
  kind: z.literal('ControllerConfig'),
  metadata,
  spec: controllerConfigSpec,
});

/** A ControllerConfig that was read, defaults filled in. */
export type ControllerConfig = z.infer<typeof controllerConfig>;
