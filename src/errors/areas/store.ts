/** FP150–FP159: state on disk. */
import type { ErrorEntry } from '../entry.ts';

/** Entries of this area, by name. */
export const storeErrors = {
  leaseTaken: {
    code: 150,
    cni: 150,
    message: 'address {address} is leased to {holder} already',
    details: '',
    hint: 'this is a defect: pool and database disagree; restart the agent and report this line',
  },
  stateUnwritable: {
    code: 151,
    cni: 11,
    message: 'the state in {path} cannot be written',
    details: '{text}',
    hint: 'is the disk read-only or failing, or the directory not ours to write? Nothing was changed',
  },
  stateUnreadable: {
    code: 152,
    cni: 152,
    message: 'the state in {path} cannot be read',
    details: '{text}',
    hint: 'restore the file, or start once with flatpod agent --rebuild: it puts the file aside and starts empty; Pods that run keep their network, but must be made anew to be known',
  },
  stateNewer: {
    code: 153,
    cni: 153,
    message: 'the state in {path} was written by a newer Flatpod',
    details: 'it has version {version}, this program knows up to {known}',
    hint: 'run that Flatpod again, or restore the copy it made when it migrated the file (state.db.v{known})',
  },
  stateFull: {
    code: 154,
    cni: 11,
    message: 'there is no room left to write the state in {path}',
    details: '{text}; nothing was changed',
    hint: 'free some space on that file system (df tells how much there is); the same request works then',
  },
  stateForeign: {
    code: 155,
    cni: 155,
    message: 'the database in {path} is not one of Flatpod',
    details: 'another program made it; it was not touched',
    hint: 'choose another directory with --state, or move the file away',
  },
  stateBusy: {
    code: 156,
    cni: 11,
    message: 'another process holds the state in {path}',
    details: 'it did not let go within {seconds} s; nothing was changed',
    hint: 'is a second agent running on this directory, or an sqlite3 shell open in it?',
  },
  stateChanged: {
    code: 157,
    cni: 157,
    message: 'the state in {path} was changed by another program',
    details: '{text}; nothing was changed',
    hint: 'only one agent may work on a directory: stop the other one, then restart this one',
  },
  attachmentUnreadable: {
    code: 158,
    cni: 158,
    message: 'attachment {attachment} in {path} cannot be read',
    details: '{text}',
    hint: 'restore the file from a copy; or drain the node, move the file away, and start again',
  },
  nodeUnknown: {
    code: 159,
    cni: 159,
    message: 'there is no NodeNetwork {name} in {path}',
    details: 'its agent has not written its half yet',
    hint: 'this is a defect of the controller: please report it',
  },
} as const satisfies Record<string, ErrorEntry>;
