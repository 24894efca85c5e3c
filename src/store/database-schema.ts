/** The tables of state.db, as the steps that lead from one version to the next. */

/** "flat": by this a file is known to be ours (sqlite.org/pragma.html#pragma_application_id). */
export const APPLICATION_ID = 0x666c6174;

/** Step n brings version n to n + 1. Never edit one that was released: add another. */
export const schema: readonly string[] = [
  `CREATE TABLE attachments (
     container TEXT NOT NULL, ifname TEXT NOT NULL, network TEXT NOT NULL, pod TEXT NOT NULL, netns TEXT NOT NULL,
     subnet TEXT NOT NULL, nic TEXT NOT NULL, state TEXT NOT NULL, created_ms INTEGER NOT NULL, interface TEXT NOT NULL,
     PRIMARY KEY (container, ifname)) WITHOUT ROWID;
   CREATE TABLE leases (
     address TEXT PRIMARY KEY, container TEXT NOT NULL, ifname TEXT NOT NULL,
     FOREIGN KEY (container, ifname) REFERENCES attachments ON DELETE CASCADE) WITHOUT ROWID;
   CREATE INDEX leases_by_attachment ON leases (container, ifname);
   CREATE TABLE cooling (address TEXT PRIMARY KEY, subnet TEXT NOT NULL, until_ms INTEGER NOT NULL) WITHOUT ROWID;
   CREATE INDEX cooling_by_end ON cooling (until_ms);
   CREATE TABLE node_networks (name TEXT PRIMARY KEY, spec TEXT NOT NULL, status TEXT NOT NULL) WITHOUT ROWID;`,
  `CREATE TABLE history (
     id INTEGER PRIMARY KEY, address TEXT NOT NULL, pod TEXT NOT NULL, container TEXT NOT NULL, subnet TEXT NOT NULL, nic TEXT NOT NULL,
     from_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL);`,
  `CREATE TABLE namespaces (name TEXT PRIMARY KEY, said TEXT NOT NULL, read_ms INTEGER NOT NULL) WITHOUT ROWID;`,
  `CREATE TABLE range_leases (
     scope TEXT NOT NULL, address BLOB NOT NULL, container TEXT NOT NULL, ifname TEXT NOT NULL, network TEXT NOT NULL, pod TEXT NOT NULL,
     since_ms INTEGER NOT NULL, PRIMARY KEY (scope, address)) WITHOUT ROWID;
   CREATE INDEX range_leases_by_attachment ON range_leases (container, ifname);
   CREATE INDEX range_leases_by_pod ON range_leases (scope, pod) WHERE pod <> '';
   CREATE TABLE range_rests (scope TEXT NOT NULL, address BLOB NOT NULL, until_ms INTEGER NOT NULL, PRIMARY KEY (scope, address)) WITHOUT ROWID;
   CREATE INDEX range_rests_by_end ON range_rests (scope, until_ms);
   CREATE TABLE range_given (scope TEXT NOT NULL, set_name TEXT NOT NULL, address BLOB NOT NULL, PRIMARY KEY (scope, set_name)) WITHOUT ROWID;
   CREATE TABLE used_runs (scope TEXT NOT NULL, first BLOB NOT NULL, last BLOB NOT NULL, PRIMARY KEY (scope, first)) WITHOUT ROWID;`,
  `CREATE TABLE chained (
     plugin TEXT NOT NULL, container TEXT NOT NULL, ifname TEXT NOT NULL, name TEXT NOT NULL, network TEXT NOT NULL, state TEXT NOT NULL,
     created_ms INTEGER NOT NULL, interface TEXT NOT NULL, PRIMARY KEY (plugin, container, ifname, name)) WITHOUT ROWID;`,
  `CREATE TABLE address_ledger (slice TEXT PRIMARY KEY, version TEXT NOT NULL, shares TEXT NOT NULL) WITHOUT ROWID;`,
  `CREATE TABLE range_directories (scope TEXT PRIMARY KEY, read_ms INTEGER NOT NULL) WITHOUT ROWID;`,
  `CREATE TABLE quarantine (
     address TEXT PRIMARY KEY, subnet TEXT NOT NULL, link TEXT NOT NULL, holder TEXT NOT NULL, until_ms INTEGER NOT NULL) WITHOUT ROWID;`,
  `CREATE TABLE cluster_member (yes INTEGER PRIMARY KEY) STRICT;`,
];
