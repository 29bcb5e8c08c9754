// What backup, restore and move say while they copy.

import type { OnRows } from '../../backup/copy-rows.js';
import { ProgressLine, say } from '../views/output.js';

export interface CopyProgress {
  onStep(text: string): void;
  readonly onRows: OnRows;
  /** Removes the progress line. */
  clear(): void;
}

/** Shows steps, and in a terminal the number of rows. @param signal ends the copy when it is aborted */
export function copyProgress(isQuiet: boolean, signal?: AbortSignal): CopyProgress {
  const line = new ProgressLine();
  return {
    onStep(text) {
      signal?.throwIfAborted();
      line.clear();
      if (!isQuiet) say(text);
    },
    onRows(table, rows) {
      signal?.throwIfAborted();
      line.show(rows, null, table);
    },
    clear: () => line.clear(),
  };
}
