/** The cloud that has bad days: its faults, its end and its return, and a good hour when a promise can only be kept with it. */
import type { TestLab } from '../life/lab.ts';
import { cloudFaults } from './steps.ts';
import type { World } from './world.ts';

/** The cloud of a soak. */
export interface SoakCloud {
  down(how: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  up(): Promise<void>;
  fault(index: number): Promise<void>;
  /** Makes it serve. May be called by many at once. */
  heal(): Promise<void>;
  /** Makes it again what the model says, after it was healed. */
  restore(): Promise<void>;
  /** How often it had to be healed. */
  readonly healed: number;
}

/** The cloud of the lab; the model says which faults are in force. */
export function soakCloud(lab: TestLab, world: World): SoakCloud {
  let isUp = true;
  let healing: Promise<void> | undefined;
  let healed = 0;
  let toRestore = false;
  const fault = async (index: number): Promise<void> => {
    await lab.api.call('POST', '/v1/faults', { ...cloudFaults[index] });
  };
  const down = async (how: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    isUp = false;
    await lab.vpc.stop(how);
  };
  const up = async (): Promise<void> => {
    if (!isUp) await lab.restartVpc();
    isUp = true;
  };
  const makeWell = async (): Promise<void> => {
    healed++;
    toRestore = true;
    await up();
    await lab.api.call('DELETE', '/v1/faults');
  };
  return {
    down,
    up,
    fault,
    get healed() {
      return healed;
    },
    heal: () => (healing ??= makeWell().finally(() => (healing = undefined))),
    async restore() {
      if (!toRestore) return;
      toRestore = false;
      if (!world.vpcUp) await down('SIGTERM');
      else for (const index of world.faults) await fault(index);
    },
  };
}
