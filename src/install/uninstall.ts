/** Taking away what install gave: the config list first, so that nobody asks for what goes next. Pods, agent and state are left as they are. */
import { removeList } from './config-folder.ts';
import { removeExecutables } from './executables.ts';
import type { Tell } from './step.ts';
import { removeUnits } from './units.ts';

/** Where it was installed. */
export interface InstalledPlaces {
  readonly binDir: string;
  readonly confDir: string;
  /** Folder of the systemd units, when there were any. */
  readonly units?: string;
}

/** Removes what is there; what is not there is fine. @throws Failure installFile. */
export function uninstall({ confDir, binDir, units }: InstalledPlaces, tell: Tell): void {
  removeList(confDir, tell);
  removeExecutables(binDir, tell);
  if (units !== undefined) removeUnits(units, tell);
}
