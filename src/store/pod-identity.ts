/** Who a container belongs to, as far as the runtime says (CNI_ARGS K8S_POD_*); stored as JSON. */
export interface PodIdentity {
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
}
