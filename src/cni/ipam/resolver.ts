/** A resolver's configuration file as a result has it (resolv.conf(5)): what it does not say in `nameserver`, `domain`, `search` or `options` is left out. */
import type { ResultDns } from '../result.ts';

/** Reads what can be read; a later `domain` or `search` replaces an earlier one, servers and options add up. */
export function resolverIn(text: string): ResultDns {
  const nameservers: string[] = [];
  const options: string[] = [];
  let domain: string | undefined;
  let search: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword = '', ...values] = line.trim().split(/\s+/);
    if (values.length === 0 || /^[#;]/.test(keyword)) continue;
    if (keyword === 'nameserver') nameservers.push(...values.slice(0, 1));
    else if (keyword === 'domain') domain = values[0];
    else if (keyword === 'search') search = [...search, ...values];
    else if (keyword === 'options') options.push(...values);
  }
  return { nameservers, ...(domain !== undefined && { domain }), search, options };
}
