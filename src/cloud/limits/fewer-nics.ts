/** A limit of somebody's own for the interfaces of an instance. */
import type { Cloud, CloudInstance } from '../cloud.ts';

/** The same cloud, whose instances take at most so many interfaces, the first included; undefined: as many as it says. Asked anew each time. */
export function withFewerNics(cloud: Cloud, most: () => number | undefined): Cloud {
  const limited = (instance: CloudInstance): CloudInstance => {
    const { limits } = instance;
    return { ...instance, limits: { ...limits, nics: Math.min(limits.nics, most() ?? limits.nics) } };
  };
  return {
    ...cloud,
    instance: async (id) => limited(await cloud.instance(id)),
    instances: async (ids) => (await cloud.instances(ids)).map(limited),
  };
}
