// The errors of backup, restore and move.

import { LinodError, UsageError } from '../base/errors.js';

/** A backup could not be made, for example on a full disk. It left nothing. */
export class BackupFailedError extends LinodError {
  readonly file: string;

  constructor(file: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super('LINOD_ERR_BACKUP_FAILED', `backup ${file} cannot be made: ${why}`, { cause });
    this.file = file;
  }
}

/** A backup that is damaged, incomplete, or no backup at all. Nothing of it was restored. */
export class BadBackupError extends LinodError {
  readonly file: string;

  constructor(file: string, problem: string, options?: { cause?: unknown }) {
    super('LINOD_ERR_BAD_BACKUP', `backup ${file} cannot be restored: ${problem}; use another one`, options);
    this.file = file;
  }
}

/** A restore that stopped when it had begun to replace files. */
export class RestoreFailedError extends LinodError {
  readonly file: string;
  /** Where the files are that the site had before; null when it had none. */
  readonly setAside: string | null;

  constructor(file: string, setAside: string | null, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const before = setAside === null ? '' : `; what the site had before is in ${setAside}`;
    super(
      'LINOD_ERR_RESTORE_FAILED',
      `backup ${file} is restored only in part: ${why}${before}; restore it again with --force`,
      { cause },
    );
    this.file = file;
    this.setAside = setAside;
  }
}

/** The database was moved, and the messages were not. */
export class MoveIncompleteError extends LinodError {
  constructor(cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(
      'LINOD_ERR_MOVE_INCOMPLETE',
      `the database was copied, and the messages were not: ${why}; empty the channels of the target, then use --layer alone`,
      { cause },
    );
  }
}

/** A copied table differs from its source. The copy was undone. */
export class CopyDiffersError extends LinodError {
  readonly table: string;

  constructor(table: string, problem: string) {
    super(
      'LINOD_ERR_COPY_DIFFERS',
      `the copy of table ${table} differs: ${problem}; the target was not changed`,
    );
    this.table = table;
  }
}

/** Restoring or moving would overwrite something, or a worker would write at the same time. */
export class RefusedError extends UsageError {}
