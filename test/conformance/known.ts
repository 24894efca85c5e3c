/** Cases that fail with our IPAM plugin alone, and why that is right. */

/** Name of the case, and the reason. */
export const known: readonly (readonly [RegExp, string])[] = [
  [
    /^bridge Operations \[0\.[12]\.0\] \(3\) configures and deconfigures a bridge(?: and veth|, veth) with default route/,
    'the case wants DEL to be refused when the configuration has more addresses than its CNI version has room for; ours succeeds, because a wrong configuration must not keep an address',
  ],
];
