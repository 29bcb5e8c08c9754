// One summary's part of a run. The marks are a queue, oldest first; an ended run leaves the rest to the next
// one. Failed marks come last, so that keys which always fail do not block others.

import { type BaseRequest, sql } from '../../src/index.js';
import { counted } from '../shared/counted.js';
import { headline, isOfDatabase, maxFailures } from '../shared/failures.js';
import { shouldContinue } from '../shared/pause.js';
import type { SiteDatabase } from '../store/open.js';
import type { DirtySummaryRow, ProcedureTables } from '../store/tables.js';
import { type AnySummary, markSummaryDirty, summaries } from './summaries.js';

const batchSize = 500;

/** Recomputes the marked keys of one summary, and counts them. */
export class SummaryRun {
  readonly #ar: BaseRequest;
  readonly #db: SiteDatabase;
  readonly #summary: AnySummary;
  #stored = 0;
  /** Failed marks, which moved back in the queue. */
  readonly #failed = new Set<number>();

  constructor(ar: BaseRequest, db: SiteDatabase, summary: AnySummary) {
    this.#ar = ar;
    this.#db = db;
    this.#summary = summary;
  }

  /** Logs errors of the summary, whose keys stay marked. Rejects only when the database fails. */
  async run(): Promise<void> {
    const { name } = this.#summary;
    await this.#markAll();
    const { total } = await this.#db
      .selectFrom('dirty_summaries')
      .select((eb) => eb.fn.countAll<number>().as('total'))
      .where('summary', '=', name)
      .executeTakeFirstOrThrow();
    let last: DirtySummaryRow | undefined;
    for (let marks = await this.#marks(last); marks.length > 0; marks = await this.#marks(last)) {
      for (const mark of marks) {
        if (!(await shouldContinue(this.#ar.signal)) || this.#failed.size >= maxFailures)
          return this.#report(total);
        if (!this.#failed.has(mark.id)) await this.#compute(mark);
        this.#ar.progress(this.#stored + this.#failed.size, total, name);
      }
      last = marks.at(-1);
    }
    this.#report(total);
  }

  /**
   * Marks all keys if that was requested; marked keys keep their position. Logs an error of `keys`, and
   * repeats the call in the next run. No key is computed before all are marked.
   */
  async #markAll(): Promise<void> {
    const { name: summary } = this.#summary;
    const ofSummary = this.#db.selectFrom('whole_summaries').selectAll().where('summary', '=', summary);
    const asked = await ofSummary.executeTakeFirst();
    if (asked === undefined || this.#summary.keys === undefined) return;
    let keys: string[] = [];
    try {
      for await (const key of await this.#summary.keys(this.#ar)) {
        keys.push(String(key));
        if (keys.length < batchSize) continue;
        await markSummaryDirty(this.#db, summary, keys, this.#ar.now());
        keys = [];
        if (!(await shouldContinue(this.#ar.signal))) return;
      }
    } catch (error) {
      this.#ar.warning(`${summary}: its keys could not be read: ${headline(error)}`, { error });
      return;
    } finally {
      await markSummaryDirty(this.#db, summary, keys, this.#ar.now());
    }
    // After an abort, the keys may be incomplete.
    if (this.#ar.signal.aborted) return;
    await this.#db
      .deleteFrom('whole_summaries')
      .where((eb) => eb.and({ summary, asked_at: asked.asked_at }))
      .execute();
  }

  async #marks(last: DirtySummaryRow | undefined): Promise<DirtySummaryRow[]> {
    const { failures = -1, id = 0 } = last ?? {};
    return await this.#db
      .selectFrom('dirty_summaries')
      .selectAll()
      .where('summary', '=', this.#summary.name)
      // A row comparison uses the index on both databases; two conditions with OR would not.
      .where(sql<boolean>`(failures, id) > (${failures}, ${id})`)
      .orderBy('failures')
      .orderBy('id')
      .limit(batchSize)
      .execute();
  }

  async #compute(mark: DirtySummaryRow): Promise<void> {
    try {
      const value = await this.#summary.compute(mark.key, this.#ar);
      await this.#ar.transaction(async (tx) => {
        await this.#summary.store(mark.key, value, tx);
        await this.#markDependents(tx.withTables(), mark.key);
        const { id, version } = mark;
        // Keeps a mark that was renewed meanwhile: the value may be outdated.
        const marks = tx.withTables<ProcedureTables>().deleteFrom('dirty_summaries');
        await marks.where((eb) => eb.and({ id, version })).execute();
      });
      this.#stored++;
    } catch (error) {
      if (isOfDatabase(error)) throw error;
      await this.#keepFailure(mark, error);
    }
  }

  /** Marks the keys of other summaries that are computed from this key. */
  async #markDependents(tx: SiteDatabase, key: string): Promise<void> {
    for (const { name, depends = [] } of summaries) {
      for (const { summary, keys } of depends) {
        if (summary === this.#summary.name)
          await markSummaryDirty(tx, name, keys?.(key) ?? [key], this.#ar.now());
      }
    }
  }

  async #keepFailure(mark: DirtySummaryRow, error: unknown): Promise<void> {
    this.#failed.add(mark.id);
    const text = `${mark.summary}: ${mark.key} could not be computed: ${headline(error)}`;
    // Logs only the first failure as a warning; the table has the others.
    if (this.#failed.size === 1) this.#ar.warning(text, { error });
    else this.#ar.debug(text);
    await this.#db
      .updateTable('dirty_summaries')
      .set({ failures: mark.failures + 1, last_error: headline(error) })
      .where('id', '=', mark.id)
      .execute();
  }

  #report(total: number): void {
    const left = total - this.#stored - this.#failed.size;
    const text = [
      `${this.#summary.name}: ${counted(this.#stored, 'key')} computed`,
      ...(this.#failed.size === 0 ? [] : [`${this.#failed.size} failed and stay marked`]),
      ...(left <= 0 ? [] : [`${left} left for the next run`]),
    ].join(', ');
    if (this.#failed.size > 0) this.#ar.warning(text);
    else if (total > 0) this.#ar.info(text);
    else this.#ar.debug(text);
  }
}
