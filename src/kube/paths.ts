/** Which objects a request is about, and the URL for it (kubernetes.io/docs/reference/using-api/api-concepts). */

/** A kind of objects, by the plural that stands in URLs. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** Plural and in lower case, such as `pods`. */
  readonly resource: string;
}

/** All objects of a kind, or those of one namespace. */
export interface Collection extends Resource {
  /** Absent: of the cluster, or of all namespaces. */
  readonly namespace?: string;
}

/** One object, or a part of it. */
export interface ObjectPath extends Collection {
  readonly name: string;
  /** Such as `status`. */
  readonly subresource?: string;
}

/** Which of them. */
export interface Selection {
  /** `metadata.name=a`, `spec.nodeName=a`. */
  readonly fieldSelector?: string;
  /** `app=web,tier in (a,b)`. */
  readonly labelSelector?: string;
}

/** What stands behind the `?`; what is undefined is left out. */
export type Query = Readonly<Record<string, string | number | undefined>>;

/** `/apis/flatpod.dev/v1alpha1/podsubnets/web/status?…`. Names are escaped: they come from files and annotations. */
export function urlOf(at: Collection | ObjectPath, query: Query = {}): string {
  const { group, version, resource, namespace } = at;
  const parts = [...(group === '' ? ['api'] : ['apis', group]), version];
  if (namespace !== undefined) parts.push('namespaces', namespace);
  parts.push(resource);
  if ('name' in at) parts.push(at.name, ...(at.subresource === undefined ? [] : [at.subresource]));
  const path = parts.map((part) => `/${segment(part)}`).join('');
  const asked = Object.entries(query).filter(([, value]) => value !== undefined);
  return asked.length === 0 ? path : `${path}?${asked.map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`).join('&')}`;
}

/** An empty part, or one of dots, would name another object than meant. */
function segment(part: string): string {
  if (part === '' || part === '.' || part === '..') throw new RangeError(`"${part}" is no part of a path`);
  return encodeURIComponent(part);
}

/** As people write it: `pods default/web`, `podsubnets.flatpod.dev web/status`. */
export function nameOf(at: Collection | ObjectPath): string {
  const { group, resource, namespace } = at;
  const kind = group === '' ? resource : `${resource}.${group}`;
  if (!('name' in at)) return namespace === undefined ? kind : `${kind} in ${namespace}`;
  const name = namespace === undefined ? at.name : `${namespace}/${at.name}`;
  return `${kind} ${name}${at.subresource === undefined ? '' : `/${at.subresource}`}`;
}
