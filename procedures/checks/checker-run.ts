// One checker's part of a run: checks the rows, and stores the problems and the position after each batch.

import type { BaseRequest } from '../../src/index.js';
import { counted } from '../shared/counted.js';
import { headline, maxFailures } from '../shared/failures.js';
import { Pace, shouldContinue } from '../shared/pause.js';
import type { SiteDatabase } from '../store/open.js';
import type { AnyChecker, Problem } from './checkers.js';
import { parseProblems } from './parse-problems.js';
import { keepPass, type Pass } from './pass.js';
import { closeRest, type FoundProblem, keepOpen, keepProblems } from './problems.js';
import { countRows, ownerOf, positionOf, RowsFailedError, rowBatches } from './rows.js';

/** The pass of problems with the checker itself, so that the end of any pass closes them. */
const noPass = 0;

export class CheckerRun {
  readonly #ar: BaseRequest;
  readonly #checker: AnyChecker;
  /** Whether it fixes problems in this run. */
  readonly #repairs: boolean;
  readonly #pace = new Pace();
  #pass: Pass;
  /** atEnd: after the last row. givenUp: the next run does the rest. takenOver: another run continues. */
  #state: 'goingOn' | 'atEnd' | 'givenUp' | 'takenOver' = 'goingOn';
  /** The problems of the current batch. */
  #problems: FoundProblem[] = [];
  /** Rows of the batch that could not be checked. */
  #unknown: string[] = [];
  readonly #counts = { checked: 0, found: 0, opened: 0, closed: 0, fixed: 0, failed: 0 };

  constructor(ar: BaseRequest, checker: AnyChecker, pass: Pass, { fix }: { readonly fix: boolean }) {
    this.#ar = ar;
    this.#checker = checker;
    this.#pass = pass;
    this.#repairs = fix && checker.fix !== undefined;
  }

  /** Checks rows until the end, or until the signal aborts. Rejects only when the database fails. */
  async run(): Promise<void> {
    const { name } = this.#checker;
    if (this.#pass.position !== null)
      this.#ar.info(`${name}: continues after ${counted(this.#pass.checked, 'row')}`);
    try {
      await this.#goThrough();
    } catch (error) {
      if (!(error instanceof RowsFailedError)) throw error;
      await this.#giveUp(error.message, error);
    }
    this.#report();
  }

  async #goThrough(): Promise<void> {
    const total = await countRows(this.#ar, this.#checker);
    for await (const rows of rowBatches(this.#ar, this.#checker, this.#pass.position)) {
      await this.#check(rows);
      this.#ar.progress(this.#pass.checked, total, this.#checker.name);
      await this.#keep();
      if (this.#counts.failed >= maxFailures) {
        return await this.#giveUp(`given up for now: ${this.#counts.failed} rows could not be checked`);
      }
      if (this.#state !== 'goingOn' || !(await shouldContinue(this.#ar.signal))) return;
    }
    // After an abort, the rows may be incomplete.
    if (this.#ar.signal.aborted) return;
    this.#state = 'atEnd';
    await this.#keep();
  }

  /** An error of the checker is a problem of the row. */
  async #check(rows: readonly unknown[]): Promise<void> {
    let done = 0;
    for (const row of rows) {
      if (this.#ar.signal.aborted || this.#counts.failed >= maxFailures) break;
      done++;
      try {
        await this.#take(row, parseProblems(await this.#checker.check(row, this.#ar)));
      } catch (error) {
        this.#fail(row, error);
      }
      await this.#pace.step();
    }
    if (done === 0) return;
    const position = positionOf(this.#checker, rows[done - 1]);
    this.#pass = { ...this.#pass, position, checked: this.#pass.checked + done };
    this.#counts.checked += done;
  }

  async #take(row: unknown, found: readonly Problem[]): Promise<void> {
    if (found.length === 0) return;
    const owner = ownerOf(this.#checker, row);
    for (const problem of found) {
      if (await this.#isFixed(row, owner, problem)) {
        this.#counts.fixed++;
        continue;
      }
      this.#counts.found++;
      this.#problems.push({ owner, ...problem });
    }
  }

  async #isFixed(row: unknown, owner: string, problem: Problem): Promise<boolean> {
    if (!this.#repairs || !problem.fixable) return false;
    try {
      await this.#checker.fix?.(row, problem, this.#ar);
      this.#ar.info(`${owner}: fixed: ${problem.message}`);
      return true;
    } catch (error) {
      this.#ar.warning(`${owner}: could not be fixed: ${problem.message}: ${headline(error)}`, { error });
      return false;
    }
  }

  #fail(row: unknown, error: unknown): void {
    const owner = safeOwner(this.#checker, row);
    this.#problems.push({ owner, message: `could not be checked: ${headline(error)}` });
    this.#unknown.push(owner);
    this.#counts.found++;
    // Logs only the first failure; the table has the others.
    if (++this.#counts.failed === 1)
      this.#ar.warning(`${this.#checker.name}: ${owner} could not be checked`, { error });
  }

  /** Stops here; the next run continues with the following rows. */
  async #giveUp(why: string, error?: unknown): Promise<void> {
    const { name } = this.#checker;
    this.#ar.warning(`${name}: ${why}`, error === undefined ? undefined : { error });
    this.#state = 'givenUp';
    await this.#write(async (tx) => {
      const from = { checker: name, pass: noPass, now: this.#ar.now().getTime() };
      await keepProblems(tx, from, [{ owner: `checker ${name}`, message: why }]);
    });
  }

  /** Stores the problems and the position. */
  async #keep(): Promise<void> {
    const { checker, number: pass } = this.#pass;
    const from = { checker, pass, now: this.#ar.now().getTime() };
    let [opened, closed] = [0, 0];
    await this.#write(async (tx) => {
      await keepOpen(tx, checker, pass, this.#unknown);
      opened = (await keepProblems(tx, from, this.#problems)).length;
      if (this.#state === 'atEnd') closed = await closeRest(tx, from);
    });
    this.#problems = [];
    this.#unknown = [];
    this.#counts.opened += opened;
    this.#counts.closed += closed;
  }

  /** Runs a transaction, unless another run has taken over the pass. */
  async #write(work: (tx: SiteDatabase) => Promise<void>): Promise<void> {
    const endedAt = this.#state === 'atEnd' ? this.#ar.now().getTime() : null;
    const isMine = await this.#ar.transaction(async (plain) => {
      const tx: SiteDatabase = plain.withTables();
      const isMine = await keepPass(tx, this.#pass, endedAt);
      if (isMine) await work(tx);
      return isMine;
    });
    if (!isMine) this.#state = 'takenOver';
  }

  #report(): void {
    const { checked, found, opened, closed, fixed } = this.#counts;
    const counts = `${counted(found, 'problem')} (${opened} of them new), ${closed} closed, ${fixed} fixed`;
    const text = `${this.#checker.name}: ${counted(checked, 'row')} checked, ${counts}`;
    if (this.#state === 'takenOver') this.#ar.info(`${text}; another run continues`);
    else if (this.#state === 'goingOn')
      this.#ar.info(`${text}; the run was ended; the next one continues here`);
    else if (found + closed + fixed > 0) this.#ar.info(text);
    else this.#ar.debug(text);
  }
}

/** The owner of a row; a generic name if the checker fails to name it. */
function safeOwner(checker: AnyChecker, row: unknown): string {
  try {
    return ownerOf(checker, row);
  } catch {
    return `a row of ${checker.table ?? checker.name}`;
  }
}
