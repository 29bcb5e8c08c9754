// Where the writer keeps how far it has come, so that a start need not read the whole log file back.

import { createHash } from 'node:crypto';
import type { Kysely, Transaction } from 'kysely';
import type { Database } from '../store/schema.js';
import { transact } from '../store/transact.js';

/** How far the writer has come with one sender. */
export interface Position {
  readonly sender: string;
  readonly epoch: string;
  /** The last number in the log. */
  readonly last: number;
  /** Whether lines with this label are, at the checkpoint's place of the file, those of this epoch. */
  readonly isCurrent: boolean;
  /** When the sender was last heard, in ms. */
  readonly heardAt: number;
}

/** Up to `offset` in the file with this fingerprint, `positions` say all that the file says. */
export interface Checkpoint {
  readonly file: string;
  readonly offset: number;
  readonly positions: readonly Position[];
}

/** What changed since the checkpoint before; `positions` holds those that differ. */
export interface CheckpointChange extends Checkpoint {
  readonly forgotten: ReadonlyArray<Pick<Position, 'sender' | 'epoch'>>;
}

/**
 * Keeps one checkpoint. It only saves time: the log file is the ledger, and without a checkpoint (or with an old
 * one) the writer reads back more of it.
 */
export interface PositionStore {
  load(): Promise<Checkpoint | undefined>;
  /** All of the change or nothing of it. */
  save(change: CheckpointChange): Promise<void>;
}

/** Both databases take a bounded number of values in one statement. */
const rowsPerStatement = 500;
/** No sender's name has a line break. */
const separator = '\n';

export interface PositionStoreOptions {
  readonly now?: () => number;
  /** Which of several logs it is, where machines that share a database have one each. Default: the only one. */
  readonly place?: string;
}

/** Keeps the checkpoint in the site's database. */
export class KyselyPositionStore implements PositionStore {
  readonly #db: Kysely<Database>;
  readonly #now: () => number;
  readonly #place: string;

  constructor(db: Kysely<Database>, { now = Date.now, place = '' }: PositionStoreOptions = {}) {
    this.#db = db;
    this.#now = now;
    this.#place = place;
  }

  async load(): Promise<Checkpoint | undefined> {
    const work = async (db: Transaction<Database>): Promise<Checkpoint | undefined> => {
      const checkpoint = await db
        .selectFrom('log_checkpoints')
        .selectAll()
        .where('id', '=', this.#id)
        .executeTakeFirst();
      if (checkpoint === undefined) return undefined;
      const rows = await db.selectFrom('log_positions').selectAll().execute();
      const positions = rows.flatMap(({ sender, epoch, last, is_current, heard_at }) => {
        const [own, place = ''] = sender.split(separator);
        if (own === undefined || place !== this.#place) return [];
        return [{ sender: own, epoch, last, isCurrent: is_current === 1, heardAt: heard_at }];
      });
      return { file: checkpoint.file, offset: checkpoint.offset, positions };
    };
    // The checkpoint and the positions have to be of one moment.
    return await transact(this.#db, work, { isolation: 'repeatable read' });
  }

  async save(change: CheckpointChange): Promise<void> {
    await transact(this.#db, async (db) => {
      for (let i = 0; i < change.positions.length; i += rowsPerStatement) {
        await this.#savePositions(db, change.positions.slice(i, i + rowsPerStatement));
      }
      for (const { sender, epoch } of change.forgotten) {
        await db
          .deleteFrom('log_positions')
          .where('sender', '=', this.#key(sender))
          .where('epoch', '=', epoch)
          .execute();
      }
      const row = { file: change.file, offset: change.offset, updated_at: this.#now() };
      await db
        .insertInto('log_checkpoints')
        .values({ id: this.#id, ...row })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
        .execute();
    });
  }

  async #savePositions(db: Transaction<Database>, positions: readonly Position[]): Promise<void> {
    const rows = positions.map(({ sender, epoch, last, isCurrent, heardAt }) => ({
      sender: this.#key(sender),
      epoch,
      last,
      is_current: isCurrent ? 1 : 0,
      heard_at: heardAt,
    }));
    await db
      .insertInto('log_positions')
      .values(rows)
      .onConflict((conflict) =>
        conflict.columns(['sender', 'epoch']).doUpdateSet((eb) => ({
          last: eb.ref('excluded.last'),
          is_current: eb.ref('excluded.is_current'),
          heard_at: eb.ref('excluded.heard_at'),
        })),
      )
      .execute();
  }

  /** The only log has 1; the others a number above, made of their place. */
  get #id(): number {
    if (this.#place === '') return 1;
    return 2 + (createHash('sha256').update(this.#place).digest().readUInt32BE() >>> 1);
  }

  #key(sender: string): string {
    return this.#place === '' ? sender : `${sender}${separator}${this.#place}`;
  }
}
