/** Services that nobody serves any more: spec.cloud.loadBalancers was taken out of the configuration while they had load balancers. */
import { FINALIZER } from '../controller/services/wanted.ts';
import { asFailure, sentence } from '../errors/failure.ts';
import type { KubeApi } from '../kube/api.ts';
import type { Log } from '../log.ts';
import { resources } from '../store/kubernetes/resources.ts';
import { readService } from '../store/kubernetes/service-objects.ts';

/** As many names as one reads in a line of a log. */
const NAMED = 20;

/** Logs which Services our finalizer holds: deleted they would wait for ever, and their load balancers keep members that are gone. Never rejects. */
export async function sayHeldServices(api: Pick<KubeApi, 'list'>, log: Log): Promise<void> {
  try {
    const { items } = await api.list(resources.services, readService);
    const held = items.filter(({ finalizers }) => finalizers.includes(FINALIZER)).map(({ namespace, name }) => `${namespace}/${name}`);
    if (held.length === 0) return;
    const more = held.length > NAMED ? ` and ${held.length - NAMED} more` : '';
    log.warn(
      `spec.cloud.loadBalancers is not set, and Services have load balancers of ours that nobody keeps up to date: ${held.slice(0, NAMED).join(', ')}${more}. Deleted they wait: set it again until they are gone, or take finalizer ${FINALIZER} off and delete the load balancers by hand`,
      { services: held.length },
    );
  } catch (error) {
    log.info(`whether Services still have load balancers of ours could not be asked: ${sentence(asFailure(error))}`);
  }
}
