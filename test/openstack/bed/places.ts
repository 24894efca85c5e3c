/**
 * Where beds live: below .cache/openstack of the repository, so that a fresh checkout has none and `make clean` removes them.
 *
 *     .cache/openstack/snapshots/HASH   databases and keys as they are after the first start: what each bed begins with
 *     .cache/openstack/beds/NAME        one bed: etc, db, log, run
 *     .cache/openstack/home             what Python remembers of installed packages
 */
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../../../.cache/openstack');

export const snapshots: string = join(root, 'snapshots');
export const beds: string = join(root, 'beds');
export const home: string = join(root, 'home');
/** Who holds it makes a snapshot. */
export const lock: string = join(root, 'lock.db');
