// One summary's part of a run. The marks are a queue, oldest first: a run that is ended, or killed, leaves the rest to the
// next. What failed before comes last, so that keys which always fail do not keep the others waiting.

import { type BaseRequest, sql } from '../../src/index.js';
import { counted } from '../counted.js';
import { headline, isOfDatabase, maxFailures } from '../failures.js';
import { mayGoOn, Pace } from '../pause.js';
import type { SiteDatabase } from '../store/open.js';
import type { DirtySummaryRow } from '../store/tables.js';
import { type AnySummary, markSummaryDirty, summaries } from './summaries.js';
import { markWhole } from './whole.js';

const batchSize = 500;
/** Values that took so long to compute are stored together at once: a killed run has to compute no more again. */
const storeEveryMs = 100;

interface Computed {
  readonly mark: DirtySummaryRow;
  readonly value: unknown;
}

/** Computes what is marked of one summary, and keeps count. */
export class SummaryRun {
  readonly #ar: BaseRequest;
  readonly #db: SiteDatabase;
  readonly #summary: AnySummary;
  readonly #pace = new Pace();
  /** Values that wait for being stored. */
  #computed: Computed[] = [];
  #stored = 0;
  #storedAt = performance.now();
  /** A mark that failed has gone further back in the queue. */
  readonly #failed = new Set<number>();

  constructor(ar: BaseRequest, db: SiteDatabase, summary: AnySummary) {
    this.#ar = ar;
    this.#db = db;
    this.#summary = summary;
  }

  /** What the summary throws is told, and leaves the key marked. Rejects only when the database fails. */
  async run(): Promise<void> {
    await markWhole(this.#ar, this.#db, this.#summary);
    const total = await this.#countMarks();
    let last: DirtySummaryRow | undefined;
    for (let marks = await this.#marks(last); marks.length > 0; marks = await this.#marks(last)) {
      await this.#compute(marks);
      await this.#storeAll();
      last = marks.at(-1);
      this.#ar.progress(this.#stored + this.#failed.size, total, this.#summary.name);
      if (!(await mayGoOn(this.#ar.signal)) || this.#isHopeless) break;
    }
    this.#tell(total);
  }

  get #isHopeless(): boolean {
    return this.#failed.size >= maxFailures;
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
      // Both databases find the place in the index; of two conditions with OR they would not.
      .where(sql<boolean>`(failures, id) > (${failures}, ${id})`)
      .orderBy('failures')
      .orderBy('id')
      .limit(batchSize)
      .execute();
  }

  /** Until the run is to end, or it is of no use. */
  async #compute(marks: readonly DirtySummaryRow[]): Promise<void> {
    for (const mark of marks) {
      if (this.#ar.signal.aborted || this.#isHopeless) return;
      if (this.#failed.has(mark.id)) continue;
      try {
        const value = await this.#summary.compute(mark.key, this.#ar);
        this.#computed.push({ mark, value });
      } catch (error) {
        await this.#keepFailure(mark, error);
      }
      await this.#pace.step();
      if (performance.now() - this.#storedAt >= storeEveryMs) await this.#storeAll();
    }
  }

  /** Together; when that fails each by itself, so that it is known whose fault it is. */
  async #storeAll(): Promise<void> {
    const values = this.#computed;
    this.#computed = [];
    try {
      await this.#store(values);
    } catch (error) {
      if (isOfDatabase(error)) throw error;
      for (const value of values) await this.#storeOne(value);
    }
    this.#storedAt = performance.now();
  }

  async #storeOne(value: Computed): Promise<void> {
    if (this.#isHopeless) return;
    try {
      await this.#store([value]);
    } catch (error) {
      if (isOfDatabase(error)) throw error;
      await this.#keepFailure(value.mark, error);
    }
  }

  async #store(values: readonly Computed[]): Promise<void> {
    if (values.length === 0) return;
    await this.#ar.transaction(async (tx) => {
      for (const { mark, value } of values) await this.#summary.store(mark.key, value, tx);
      await this.#markDependents(tx.withTables(), values);
      await removeMarks(tx.withTables(), values);
    });
    this.#stored += values.length;
  }

  /** What is computed from these values is no longer true. */
  async #markDependents(tx: SiteDatabase, values: readonly Computed[]): Promise<void> {
    for (const { name, depends = [] } of summaries) {
      for (const { summary, keys } of depends) {
        if (summary !== this.#summary.name) continue;
        const dirty = new Set<string>();
        for (const { mark } of values) for (const key of keys?.(mark.key) ?? [mark.key]) dirty.add(key);
        await markSummaryDirty(tx, name, dirty, this.#ar.now());
      }
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

/** Not of keys that were marked again meanwhile: the value may be of before. */
async function removeMarks(tx: SiteDatabase, values: readonly Computed[]): Promise<void> {
  for (const { id, version } of values.map(({ mark }) => mark))
    await tx.deleteFrom('dirty_summaries').where('id', '=', id).where('version', '=', version).execute();
}
