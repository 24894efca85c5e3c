/** The world behind the internet gateway: addresses set aside for documentation (RFC 5737, RFC 3849), so nothing real is ever meant. */
import { parseCidr } from '../net/cidr.ts';

/** Internet hosts live here; .1 (::1) is their router. */
export const internet4 = parseCidr('198.51.100.0/24');
export const internet6 = parseCidr('2001:db8:ffff::/64');

/** Public addresses are given from here. */
export const publicPool = parseCidr('203.0.113.0/24');
