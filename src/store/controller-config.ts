/** ControllerConfig: the one document of a controller's configuration file in a cluster. */
import * as z from 'zod';
import { cloud } from './node-config.ts';
import { metadata, name } from './schema-parts.ts';

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
  tellScheduler: z
    .boolean()
    .default(false)
    .describe(
      'whether nodes say how many Pods with addresses they may have (flatpod.dev/addresses); only together with the admission policy that has Pods ask for them',
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
