/** Which call a method and path mean. Paths have at most one variable segment. */

/** What is found for a request: the call and its variable segment ('' when the path has none). */
export interface Found<C> {
  readonly call: C;
  readonly id: string;
}

/** Finds calls by method and path; undefined when there is none. */
export function router<C extends { readonly method: string; readonly path: string }>(
  calls: readonly C[],
): (method: string, path: string) => Found<C> | undefined {
  const byShape = new Map(calls.map((call) => [`${call.method} ${call.path.replace(/:\w+/, '*')}`, call]));
  return (method, path) => {
    const exact = byShape.get(`${method} ${path}`);
    if (exact !== undefined) return { call: exact, id: '' };
    const segments = path.split('/');
    // The variable segment is always the fourth part: /v1/<kind>/<id>/…
    const id = segments[3];
    if (id === undefined || id === '' || id === '*') return undefined;
    const call = byShape.get(`${method} ${segments.with(3, '*').join('/')}`);
    return call === undefined ? undefined : { call, id: decoded(id) };
  };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
