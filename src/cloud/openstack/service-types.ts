/**
 * Whose a subnet's addresses are. Neutron gives those of a subnet with `service_types` only to ports whose `device_owner` is one of them, letter for letter
 * (subnet-service-types). So ports of ours bear, in such a subnet, one of its types in place of our own words.
 */
import { type Asked, refuse } from '../wire/asked.ts';
import type { Subnet } from './subnet.ts';

/** What Nova's ports begin with; of the types that Neutron takes, the ones that are of machines. */
const COMPUTE = 'compute:';

/**
 * The `device_owner` of a port in these subnets; `usual` where they are for everybody.
 * @throws Failure cloudInvalid when no type of the machines' is common to those that have types
 */
export function deviceOwnerIn(subnets: readonly Subnet[], usual: string, asked: Asked): string {
  const [first, ...others] = subnets.filter(({ serviceTypes }) => serviceTypes.length > 0);
  if (first === undefined) return usual;
  const found = first.serviceTypes.find(
    (type) => type.startsWith(COMPUTE) && others.every(({ serviceTypes }) => serviceTypes.includes(type)),
  );
  if (found !== undefined) return found;
  const told = [first, ...others].map(({ id, serviceTypes }) => `subnet ${id} is for ${serviceTypes.join(', ')}`).join('; ');
  throw refuse.invalid(asked, `${told}: Pods need a service type that begins with ${COMPUTE}, such as compute:flatpod`);
}
