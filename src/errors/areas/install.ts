/** FP210–FP219: the installer. */
import type { ErrorEntry } from '../entry.ts';

/** Entries of this area, by name. */
export const installErrors = {
  installFile: {
    code: 210,
    cni: 210,
    message: 'cannot {action} {path}',
    details: '{text}',
    hint: 'put that right (is it root, on the node itself?) and run it again: what was done before stays, and it goes on from there',
  },
  pluginMissing: {
    code: 211,
    cni: 211,
    message: 'the plugin {plugin} is not in {directory}, or cannot be executed',
    details: 'nothing was installed: with it in the chain every Pod would fail',
    hint: 'put the reference plugins there (containernetworking-plugins; Debian keeps them in /usr/lib/cni), or leave it out of --chain',
  },
  executableNotBuilt: {
    code: 212,
    cni: 212,
    message: 'the executable {path} is not there',
    details: 'nothing was installed',
    hint: 'make build',
  },
  configListForeign: {
    code: 213,
    cni: 213,
    message: '{path} was not written by flatpod install, or was edited since',
    details: 'its copy {copy} cannot be made: something else has that name already; the config list was left as it is',
    hint: 'compare the two, move both away, and run it again',
  },
  agentNotReady: {
    code: 214,
    cni: 214,
    message: 'the config list was not written: the agent was not ready within {seconds} s',
    details: '{reason}',
    hint: 'put that right and run it again, nothing else needs to be undone; --wait SECONDS waits longer, --no-wait writes it at once',
  },
  runtimeIgnores: {
    code: 215,
    cni: 215,
    message: 'the runtime does not use {path}',
    details: '{text}',
    hint: 'is --conf-dir the folder it reads? A runtime whose folder was removed and made again must be restarted',
  },
  pluginUnusable: {
    code: 216,
    cni: 216,
    message: 'the plugin {plugin} in {directory} does not say a CNI version that the config list could have',
    details: '{text}; nothing was installed',
    hint: 'install the current reference plugins there (github.com/containernetworking/plugins), or leave it out of --chain',
  },
} as const satisfies Record<string, ErrorEntry>;
