// One summary's part of a run. The marks are a queue, oldest first: a run that is ended leaves the rest to the next.
// What failed before comes last, so that keys which always fail do not keep the others waiting.

import { type BaseRequest, transact } from '../../src/index.js';
import { counted } from '../counted.js';
import { headline, maxFailures } from '../failures.js';
import { mayGoOn } from '../pause.js';
import { procedureTables, type SiteDatabase } from '../store/open.js';
import type { DirtySummaryRow } from '../store/tables.js';
import { type AnySummary, newMark } from './summaries.js';

const batchSize = 500;

/** Computes what is marked of one summary, and keeps count. */
export class SummaryRun {
  readonly #ar: BaseRequest;
  readonly #db: SiteDatabase;
  readonly #summary: AnySummary;
  #computed = 0;
  /** A mark that failed has gone further back in the queue. */
  readonly #failed = new Set<number>();

  constructor(ar: BaseRequest, db: SiteDatabase, summary: AnySummary) {
    this.#ar = ar;
    this.#db = db;
    this.#summary = summary;
  }

  /** What the summary throws is told, and leaves the key marked. Rejects only when the database fails. */
  async run(): Promise<void> {
    await this.#markAll();
    const total = await this.#countMarks();
    let last: DirtySummaryRow | undefined;
    for (let marks = await this.#marks(last); marks.length > 0; marks = await this.#marks(last)) {
      for (const mark of marks) {
        last = mark;
        if (this.#failed.has(mark.id)) continue;
        if (!(await mayGoOn(this.#ar.signal)) || this.#failed.size >= maxFailures) return this.#tell(total);
        await this.#refresh(mark);
        this.#ar.progress(this.#computed + this.#failed.size, total, mark.summary);
      }
    }
    this.#tell(total);
  }

  /** Where the summary can tell all its keys, all are due. Those that are marked keep their place in the queue. */
  async #markAll(): Promise<void> {
    if (this.#summary.keys === undefined) return;
    let keys: string[] = [];
    try {
      for await (const key of this.#summary.keys(this.#ar)) {
        keys.push(String(key));
        if (keys.length < batchSize) continue;
        await this.#markIfNew(keys);
        keys = [];
        if (!(await mayGoOn(this.#ar.signal))) return;
      }
    } catch (error) {
      this.#ar.warning(`${this.#summary.name}: its keys could not be read: ${headline(error)}`, { error });
    }
    await this.#markIfNew(keys);
  }

  async #markIfNew(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    await this.#db
      .insertInto('dirty_summaries')
      .values(keys.map((key) => newMark(this.#summary.name, key, this.#ar.now())))
      .onConflict((conflict) => conflict.columns(['summary', 'key']).doNothing())
      .execute();
  }

  async #countMarks(): Promise<number> {
    const { count } = await this.#db
      .selectFrom('dirty_summaries')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('summary', '=', this.#summary.name)
      .executeTakeFirstOrThrow();
    return count;
  }

  async #marks(last: DirtySummaryRow | undefined): Promise<DirtySummaryRow[]> {
    const { failures = -1, id = 0 } = last ?? {};
    return await this.#db
      .selectFrom('dirty_summaries')
      .selectAll()
      .where('summary', '=', this.#summary.name)
      .where((eb) =>
        eb.or([eb('failures', '>', failures), eb.and([eb('failures', '=', failures), eb('id', '>', id)])]),
      )
      .orderBy('failures')
      .orderBy('id')
      .limit(batchSize)
      .execute();
  }

  async #refresh(mark: DirtySummaryRow): Promise<void> {
    try {
      const value = await this.#summary.compute(mark.key, this.#ar);
      await transact(this.#ar.db, async (tx) => {
        await this.#summary.store(mark.key, value, tx);
        // Not if it was marked again meanwhile: the value may be of before.
        await procedureTables(tx)
          .deleteFrom('dirty_summaries')
          .where('id', '=', mark.id)
          .where('version', '=', mark.version)
          .execute();
      });
      this.#computed++;
    } catch (error) {
      await this.#keepFailure(mark, error);
    }
  }

  async #keepFailure(mark: DirtySummaryRow, error: unknown): Promise<void> {
    this.#failed.add(mark.id);
    const text = `${mark.summary}: ${mark.key} could not be computed: ${headline(error)}`;
    // The first tells what is wrong; the others are in the table.
    if (this.#failed.size === 1) this.#ar.warning(text, { error });
    else this.#ar.debug(text);
    await this.#db
      .updateTable('dirty_summaries')
      .set({ failures: mark.failures + 1, last_error: headline(error) })
      .where('id', '=', mark.id)
      .execute();
  }

  #tell(total: number): void {
    const left = total - this.#computed - this.#failed.size;
    const text = [
      `${this.#summary.name}: ${counted(this.#computed, 'key')} computed`,
      ...(this.#failed.size === 0 ? [] : [`${this.#failed.size} failed and stay marked`]),
      ...(left <= 0 ? [] : [`${left} left for the next run`]),
    ].join(', ');
    if (this.#failed.size > 0) this.#ar.warning(text);
    else if (total > 0) this.#ar.info(text);
    else this.#ar.debug(text);
  }
}
