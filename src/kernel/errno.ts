/** Names and meanings of the errno values the kernel answers with (asm-generic/errno*.h). */
import { constants } from 'node:os';

const names = new Map<number, string>(Object.entries(constants.errno).map(([name, value]) => [value, name]));

/** `EEXIST` for 17; `errno 999` for a number without a name. Accepts the negative form. */
export function errnoName(errno: number): string {
  return names.get(Math.abs(errno)) ?? `errno ${Math.abs(errno)}`;
}

const { EEXIST, ENOENT, ENODEV, ESRCH, EADDRNOTAVAIL, EBUSY, EINTR, EAGAIN, ENOBUFS, EINVAL, ENXIO, EPERM, ENETDOWN } = constants.errno;
/** The values that are told apart somewhere. */
export const errno = {
  EEXIST,
  ENOENT,
  ENODEV,
  ESRCH,
  EADDRNOTAVAIL,
  EBUSY,
  EINTR,
  EAGAIN,
  ENOBUFS,
  EINVAL,
  ENXIO,
  EPERM,
  ENETDOWN,
} as const;
