/** FP260–FP269: the plugin of kubectl. */
import type { ErrorEntry } from '../entry.ts';

/** Entries of this area, by name. */
export const kubectlErrors = {
  kubectlMissing: {
    code: 260,
    cni: 260,
    message: 'kubectl cannot be started',
    details: '{text}',
    hint: 'kubectl flatpod reads the cluster through kubectl itself: have it on PATH, or name it in the environment variable KUBECTL',
  },
  kubectlRefused: {
    code: 261,
    cni: 261,
    message: 'kubectl could not do what was asked of it: {what}',
    details: '{text}',
    hint: 'the same context and rights count as for kubectl: --context and --kubeconfig choose, kubectl auth can-i --list shows the rights',
  },
  podUnknown: {
    code: 262,
    cni: 262,
    message: 'there is no Pod {pod}',
    details: '',
    hint: 'kubectl get pods --all-namespaces lists those there are; another namespace is chosen with NAMESPACE/NAME or -n',
  },
  flatpodMissing: {
    code: 263,
    cni: 263,
    message: 'this cluster has no Flatpod',
    details: 'its API server does not know {resource}',
    hint: 'is it the right cluster (--context)? Flatpod is installed with its Helm chart, or with kubectl apply -f deploy/flatpod.yaml',
  },
  agentNotAsked: {
    code: 264,
    cni: 264,
    message: 'the agent on node {node} could not be asked',
    details: '{text}',
    hint: 'kubectl get pods --all-namespaces -l app.kubernetes.io/component=agent -o wide shows the agents; kubectl exec into them takes the right to create pods/exec',
  },
} as const satisfies Record<string, ErrorEntry>;
