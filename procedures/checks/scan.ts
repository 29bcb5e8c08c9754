// One way through the rows of a table, for all checkers of it: reading a row costs more than most checks.

import type { BaseRequest } from '../../src/index.js';
import { mayGoOn } from '../pause.js';
import type { SiteDatabase } from '../store/open.js';
import type { CheckerPart } from './checker-part.js';
import { countRows, RowsFailedError, rowBatches } from './row-batches.js';

/** What was found is written this often at least, and what a killed run has to do again is no more. */
const keepEveryMs = 250;
/** And before so many rows with problems are in memory. */
const maxFindings = 500;

/** Those that read the same rows from the same place on, in the order of the first of each. */
export function sharedScans(parts: readonly CheckerPart[]): CheckerPart[][] {
  const scans = new Map<unknown, CheckerPart[]>();
  for (const part of parts) {
    const key = sharedBy(part);
    const together = scans.get(key);
    if (together === undefined) scans.set(key, [part]);
    else together.push(part);
  }
  return [...scans.values()];
}

/** What a scan is shared by; the part itself when it reads alone. */
function sharedBy(part: CheckerPart): unknown {
  const { checker, position, repairs } = part;
  // What one checker repairs another must not see as it was before.
  if (checker.table === undefined || repairs) return part;
  return JSON.stringify([checker.table, checker.key ?? 'id', position]);
}

export class Scan {
  readonly #ar: BaseRequest;
  #parts: readonly CheckerPart[];
  #keptAt = performance.now();

  constructor(ar: BaseRequest, parts: readonly CheckerPart[]) {
    this.#ar = ar;
    this.#parts = parts;
  }

  /** Goes through the rows, to their end unless the signal comes before. Rejects only when the database fails. */
  async run(): Promise<void> {
    const parts = this.#parts;
    for (const part of parts) part.tellBegin();
    try {
      await this.#goThrough();
    } catch (error) {
      if (!(error instanceof RowsFailedError)) throw error;
      for (const part of this.#parts) part.giveUp(error.message, error);
      await this.#keep();
    }
    for (const part of parts) part.tellEnd();
  }

  async #goThrough(): Promise<void> {
    const [first] = this.#parts;
    if (first === undefined) return;
    const checkers = this.#parts.map((part) => part.checker);
    const total = await countRows(this.#ar, first.checker);
    for await (const rows of rowBatches(this.#ar, checkers, first.position)) {
      for (const part of this.#parts) await part.check(rows);
      this.#ar.progress(first.checkedInAll, total, this.#title());
      if (this.#isTimeToKeep()) await this.#keep();
      if (this.#parts.length === 0 || !(await mayGoOn(this.#ar.signal))) break;
    }
    // Rows that end early since the run is to end are not all rows.
    if (this.#ar.signal.aborted) return await this.#keep();
    for (const part of this.#parts) part.reachEnd();
    await this.#keep();
  }

  #isTimeToKeep(): boolean {
    return (
      performance.now() - this.#keptAt >= keepEveryMs ||
      this.#parts.some((part) => part.hasEnded || part.pending >= maxFindings)
    );
  }

  /** Those that have ended are no longer asked. */
  async #keep(): Promise<void> {
    const parts = this.#parts;
    const counted = await this.#ar.transaction(async (tx) => {
      const own: SiteDatabase = tx.withTables();
      const changes = [];
      for (const part of parts) changes.push(await part.write(own));
      return changes;
    });
    for (const [i, part] of parts.entries()) part.kept(counted[i]);
    this.#parts = parts.filter((part) => !part.hasEnded);
    this.#keptAt = performance.now();
  }

  #title(): string {
    const [first] = this.#parts;
    const { name = '', table } = first?.checker ?? {};
    return this.#parts.length === 1 ? name : `${table}, ${this.#parts.length} checkers`;
  }
}
