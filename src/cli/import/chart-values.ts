/** The same configuration as values of the chart, which writes NodeConfig and ControllerConfig itself. */
import { stringify } from 'yaml';
import type { Imported, Made } from '../../import/made.ts';

/** values.yaml for `helm install -f`, with further ones of the agent. What is only known to the user is missing, and the chart asks for it. */
export function chartValues(made: readonly Made[], further: Imported['agent'] = {}): string {
  const specOf = (kind: Made['kind']): Readonly<Record<string, unknown>> => made.find((one) => one.kind === kind)?.spec ?? {};
  // On a node of the chart's the API server is reached by the service account.
  const { cluster: _, log, serviceCidrs, ...config } = specOf('NodeConfig');
  const { cluster, cloud } = specOf('ControllerConfig');
  const agent = { ...(serviceCidrs !== undefined && { serviceCidrs }), ...(Object.keys(config).length > 0 && { config }), ...further };
  const values = {
    ...(cluster !== undefined && { cluster }),
    cloud,
    ...(log !== undefined && { log }),
    ...(Object.keys(agent).length > 0 && { agent }),
  };
  return `# helm install flatpod deploy/chart/flatpod -n kube-system -f values.yaml\n${stringify(values, { lineWidth: 0, compat: 'yaml-1.1' })}`;
}
