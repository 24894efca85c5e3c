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
];
