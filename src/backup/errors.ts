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
