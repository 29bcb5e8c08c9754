// One checker's part of a run: what it said of the rows so far, and how far its pass has come.

import type { BaseRequest } from '../../src/index.js';
import { counted } from '../counted.js';
import { headline, maxFailures } from '../failures.js';
import { Pace } from '../pause.js';
import type { SiteDatabase } from '../store/open.js';
import type { AnyChecker, Problem } from './checkers.js';
import { parseProblems } from './parse-problems.js';
import { endPass, keepPosition, type Pass } from './pass.js';
import { type Changes, checkerOwner, closeRest, keepFindings, type RowFindings } from './problems.js';
import { type Key, ownerOf, positionOf } from './row-batches.js';

/** goingOn: takes more rows. Behind the last row it is atEnd; givenUp leaves the rest to the next run; takenOver to another. */
type State = 'goingOn' | 'atEnd' | 'givenUp' | 'takenOver';

export class CheckerPart {
  readonly checker: AnyChecker;
  /** Whether it changes rows in this run. */
  readonly repairs: boolean;
  readonly #ar: BaseRequest;
  readonly #pace = new Pace();
  #pass: Pass;
  #state: State = 'goingOn';
  /** Since the last time they were kept. */
  #findings: RowFindings[] = [];
  #checked = 0;
  #found = 0;
  #opened = 0;
  #closed = 0;
  #fixed = 0;
  #failed = 0;

  constructor(ar: BaseRequest, checker: AnyChecker, pass: Pass, { fix }: { readonly fix: boolean }) {
    this.#ar = ar;
    this.checker = checker;
    this.#pass = pass;
    this.repairs = fix && checker.fix !== undefined;
  }

  get position(): Key | null {
    return this.#pass.position;
  }

  /** Rows of the whole pass. */
  get checkedInAll(): number {
    return this.#pass.checked;
  }

  get hasEnded(): boolean {
    return this.#state !== 'goingOn';
  }

  /** Rows with problems that are not written yet. */
  get pending(): number {
    return this.#findings.length;
  }

  tellBegin(): void {
    if (this.position !== null)
      this.#ar.info(`${this.checker.name}: goes on after ${counted(this.checkedInAll, 'row')}`);
  }

  /**
   * Checks rows until the run is to end, or it is of no use. What the checker throws is a problem of the row.
   * Between two rows the event loop may turn, and a row without problems is waited for only where there is a promise.
   */
  async check(rows: readonly unknown[]): Promise<void> {
    const { signal } = this.#ar;
    let done = 0;
    for (const row of rows) {
      if (signal.aborted || this.#state !== 'goingOn') break;
      done++;
      try {
        const said = this.checker.check(row, this.#ar);
        if (!isNothing(said)) await this.#take(row, parseProblems(await said));
      } catch (error) {
        this.#fail(row, error);
      }
      if (this.#pace.isDue()) await this.#pace.pause();
    }
    if (done === 0) return;
    const position = positionOf(this.checker, rows[done - 1]);
    this.#pass = { ...this.#pass, position, checked: this.#pass.checked + done };
    this.#checked += done;
  }

  /** There are no more rows. */
  reachEnd(): void {
    if (this.#state === 'goingOn') this.#state = 'atEnd';
  }

  /** The next run goes on with the rows behind. */
  giveUp(why: string, error?: unknown): void {
    if (this.#state !== 'goingOn') return;
    this.#state = 'givenUp';
    this.#ar.warning(`${this.checker.name}: ${why}`, error === undefined ? undefined : { error });
    this.#findings.push({
      owner: checkerOwner(this.checker.name),
      problems: [{ message: why }],
      isUnknown: false,
    });
  }

  /** Writes what was found and how far it is; null when another run has taken the pass over. A part of a transaction. */
  async write(tx: SiteDatabase): Promise<Changes | null> {
    const isMine = await keepPosition(tx, this.#pass);
    if (!isMine) return null;
    const changes = await keepFindings(this.#ar, tx, this.#pass, this.#findings);
    if (this.#state !== 'atEnd') return changes;
    await endPass(this.#ar, tx, this.#pass);
    return { ...changes, closed: await closeRest(this.#ar, tx, this.#pass) };
  }

  /** The transaction is committed. */
  kept(changes: Changes | null | undefined): void {
    this.#findings = [];
    if (changes === null) this.#state = 'takenOver';
    this.#opened += changes?.opened ?? 0;
    this.#closed += changes?.closed ?? 0;
  }

  tellEnd(): void {
    const counts = [
      `${counted(this.#checked, 'row')} checked`,
      `${counted(this.#found, 'problem')} (${this.#opened} of them new)`,
      `${this.#closed} closed`,
      `${this.#fixed} fixed`,
    ];
    const text = `${this.checker.name}: ${counts.join(', ')}`;
    if (this.#state === 'takenOver') this.#ar.info(`${text}; another run goes on with it`);
    else if (this.#state === 'goingOn') this.#ar.info(`${text}; the run was ended, the next goes on here`);
    else if (this.#found + this.#closed + this.#fixed > 0) this.#ar.info(text);
    else this.#ar.debug(text);
  }

  async #take(row: unknown, found: readonly Problem[]): Promise<void> {
    const owner = ownerOf(this.checker, row);
    const open: Problem[] = [];
    for (const problem of found) if (!(await this.#isFixed(row, owner, problem))) open.push(problem);
    this.#fixed += found.length - open.length;
    this.#found += open.length;
    this.#findings.push({ owner, problems: open, isUnknown: false });
  }

  async #isFixed(row: unknown, owner: string, problem: Problem): Promise<boolean> {
    if (!this.repairs || !problem.fixable) return false;
    try {
      await this.checker.fix?.(row, problem, this.#ar);
      this.#ar.info(`${owner}: fixed: ${problem.message}`);
      return true;
    } catch (error) {
      this.#ar.warning(`${owner}: could not be fixed: ${problem.message}: ${headline(error)}`, { error });
      return false;
    }
  }

  #fail(row: unknown, error: unknown): void {
    const owner = safeOwner(this.checker, row);
    this.#findings.push({
      owner,
      problems: [{ message: `could not be checked: ${headline(error)}` }],
      isUnknown: true,
    });
    this.#found++;
    this.#failed++;
    // The first tells what is wrong; the others are in the table.
    if (this.#failed === 1)
      this.#ar.warning(`${this.checker.name}: ${owner} could not be checked`, { error });
    if (this.#failed >= maxFailures)
      this.giveUp(`given up for now: ${this.#failed} rows could not be checked`);
  }
}

function isNothing(result: unknown): boolean {
  return result === undefined || (Array.isArray(result) && result.length === 0);
}

/** A row may be so odd that even its name cannot be told. */
function safeOwner(checker: AnyChecker, row: unknown): string {
  try {
    return ownerOf(checker, row);
  } catch {
    return `a row of ${checker.table ?? checker.name}`;
  }
}
