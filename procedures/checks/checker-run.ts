// One checker's part of a run.

import { type BaseRequest, transact } from '../../src/index.js';
import { counted } from '../counted.js';
import { maxFailures } from '../failures.js';
import { mayGoOn } from '../pause.js';
import type { SiteDatabase } from '../store/open.js';
import { checkRow } from './check-row.js';
import type { AnyChecker } from './checkers.js';
import { beginPass, endPass, keepPosition, type Pass } from './pass.js';
import { checkerOwner, closeRest, keepFindings, type RowFindings } from './problems.js';
import { type CheckedRow, countRows, RowsFailedError, rowBatches } from './row-batches.js';

/** Takes one checker through its rows, and keeps count. */
export class CheckerRun {
  readonly #ar: BaseRequest;
  readonly #db: SiteDatabase;
  readonly #checker: AnyChecker;
  #checked = 0;
  #found = 0;
  #opened = 0;
  #closed = 0;
  #fixed = 0;
  #failed = 0;

  constructor(ar: BaseRequest, db: SiteDatabase, checker: AnyChecker) {
    this.#ar = ar;
    this.#db = db;
    this.#checker = checker;
  }

  /**
   * Goes on with the checker's pass, to its end unless the signal comes before. What goes wrong in the checker is
   * a problem, whose owner is the checker itself when it is not about one row. Rejects only when the database fails.
   */
  async run(): Promise<void> {
    const pass = await beginPass(this.#ar, this.#db, this.#checker.name);
    if (pass.position !== null)
      this.#ar.info(`${pass.checker}: goes on after ${counted(pass.checked, 'row')}`);
    try {
      await this.#goThrough(pass);
    } catch (error) {
      if (!(error instanceof RowsFailedError)) throw error;
      await this.#giveUp(pass, error.message, error);
    }
    this.#tell();
  }

  async #goThrough(begun: Pass): Promise<void> {
    let pass = begun;
    const total = await countRows(this.#ar, this.#checker);
    for await (const rows of rowBatches(this.#ar, this.#checker, pass.position)) {
      const findings = await this.#checkRows(rows);
      const position = rows[findings.length - 1]?.position ?? pass.position;
      pass = { ...pass, position, checked: pass.checked + findings.length };
      await this.#keep(pass, findings);
      this.#ar.progress(pass.checked, total, pass.checker);
      if (this.#failed >= maxFailures) {
        return await this.#giveUp(pass, `given up for now: ${this.#failed} rows could not be checked`);
      }
      if (!(await mayGoOn(this.#ar.signal))) return;
    }
    // Rows that end early since the run is to end are not all rows.
    if (!this.#ar.signal.aborted) await this.#end(pass);
  }

  /** Checks rows until the run is to end, or it is of no use. */
  async #checkRows(rows: readonly CheckedRow[]): Promise<RowFindings[]> {
    const findings: RowFindings[] = [];
    for (const row of rows) {
      if (this.#ar.signal.aborted || this.#failed >= maxFailures) break;
      const { findings: found, fixed, failure } = await checkRow(this.#ar, this.#checker, row);
      findings.push(found);
      this.#fixed += fixed;
      if (failure === undefined) continue;
      this.#failed++;
      // The first tells what is wrong; the others are in the table.
      if (this.#failed === 1) {
        this.#ar.warning(`${this.#checker.name}: ${row.owner} could not be checked`, { error: failure });
      }
    }
    return findings;
  }

  async #keep(pass: Pass, findings: readonly RowFindings[]): Promise<void> {
    const changes = await transact(this.#db, async (tx) => {
      await keepPosition(tx, pass);
      return await keepFindings(this.#ar, tx, pass, findings);
    });
    this.#checked += findings.length;
    this.#found += findings.reduce((sum, { problems }) => sum + problems.length, 0);
    this.#opened += changes.opened;
    this.#closed += changes.closed;
  }

  async #end(pass: Pass): Promise<void> {
    this.#closed += await transact(this.#db, async (tx) => {
      await endPass(this.#ar, tx, pass);
      return await closeRest(this.#ar, tx, pass);
    });
  }

  /** The next run goes on with the rows behind. */
  async #giveUp(pass: Pass, why: string, error?: RowsFailedError): Promise<void> {
    this.#ar.warning(`${pass.checker}: ${why}`, error === undefined ? undefined : { error });
    await transact(this.#db, async (tx) => {
      await keepPosition(tx, pass);
      const problem = { owner: checkerOwner(pass.checker), problems: [{ message: why }], isUnknown: false };
      await keepFindings(this.#ar, tx, pass, [problem]);
    });
  }

  #tell(): void {
    const { name } = this.#checker;
    const counts = [
      `${counted(this.#checked, 'row')} checked`,
      `${counted(this.#found, 'problem')} (${this.#opened} of them new)`,
      `${this.#closed} closed`,
      `${this.#fixed} fixed`,
    ];
    const text = `${name}: ${counts.join(', ')}`;
    if (this.#ar.signal.aborted) this.#ar.info(`${text}; the run was ended, the next goes on here`);
    else if (this.#found + this.#closed + this.#fixed > 0) this.#ar.info(text);
    else this.#ar.debug(text);
  }
}
