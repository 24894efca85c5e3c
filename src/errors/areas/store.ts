/** FP150–FP159: state on disk. */
import type { ErrorEntry } from '../catalogue.ts';

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
    hint: 'is the disk full or read-only? Nothing was changed; the same request works once there is room',
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
} as const satisfies Record<string, ErrorEntry>;
