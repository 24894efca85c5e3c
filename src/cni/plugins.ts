/** The plugins that are one executable: it hands the name it was started under over as FLATPOD_PLUGIN (src/cni/shim.c). */

/** What answers a request. */
export type Plugin = 'flatpod' | 'ipam' | 'veth-to-host';

/** The IPAM plugin also answers to the names of those whose configuration it reads, for files that cannot be changed. */
const plugins: ReadonlyMap<string, Plugin> = new Map([
  ['flatpod', 'flatpod'],
  ['flatpod-ipam', 'ipam'],
  ['host-local', 'ipam'],
  ['static', 'ipam'],
  ['whereabouts', 'ipam'],
  ['veth-to-host', 'veth-to-host'],
]);

/** The plugin that a frame is for. A name that is none of ours is the main plugin's, as it is to the executable: somebody renamed the file. */
export function pluginOf(variables: ReadonlyMap<string, string>): Plugin {
  return plugins.get(variables.get('FLATPOD_PLUGIN') ?? '') ?? 'flatpod';
}
