/** Which objects a request is about (kubernetes.io/docs/reference/using-api/api-concepts). */

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
