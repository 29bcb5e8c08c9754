// Files in directories that other users may write to: a pipe there must not block this process, nor a link
// lead it elsewhere.

import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { LinodError } from '../errors.js';

/** Flags of open(2) by which a symbolic link is refused and a pipe does not wait for its other end. */
export const regularFlags = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The same for a file whose content is replaced. */
export const replaceFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | regularFlags;

/** Something else is where a file should be: a link, a pipe, a socket or a directory. */
export class NotRegularFileError extends LinodError {
  constructor(path: string, options?: { cause?: unknown }) {
    const text = `${path} is no regular file, perhaps a symbolic link or a pipe: move it away`;
    super('LINOD_ERR_NOT_REGULAR_FILE', text, options);
  }
}

/**
 * Opens a regular file.
 *
 * @param flags of open(2); reads by default
 * @param mode of a file that is made
 * @throws NotRegularFileError (`LINOD_ERR_NOT_REGULAR_FILE`), or the system's error
 */
export function openRegular(path: string, flags = constants.O_RDONLY, mode = 0o666): number {
  let fd: number;
  try {
    fd = openSync(path, flags | regularFlags, mode);
  } catch (error) {
    throw notRegular(path, error);
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new NotRegularFileError(path);
}

/** The text of a regular file. @throws as {@link openRegular} */
export function readRegular(path: string): string {
  const fd = openRegular(path);
  try {
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

/** The error for people when opening with {@link regularFlags} failed because of what is there. */
export function notRegular(path: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  // A link, a pipe or socket without its other end, and a directory that was to be written.
  const isOther = code === 'ELOOP' || code === 'ENXIO' || code === 'EISDIR';
  return isOther ? new NotRegularFileError(path, { cause: error }) : error;
}
