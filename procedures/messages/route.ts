// Messages go the ways that their users have chosen. Each is handed over in one transaction, with the note of which
// ways are left: one that fails keeps no other, and none is gone twice.

import { activeRuleOf, type BaseRequest, sql, transact } from '../../src/index.js';
import { counted } from '../counted.js';
import { headline } from '../failures.js';
import { mayGoOn } from '../pause.js';
import type { SiteDatabase } from '../store/open.js';
import type { UserMessageRow } from '../store/tables.js';
import { chosenWays, inApp, parseWays } from './preferences.js';
import { type NotificationWay, notificationWays, UndeliverableError } from './ways.js';

const batchSize = 200;
/** A way that failed is tried again after so long, and given up when the message is a day old. */
const pauseMs = 60_000;
const giveUpAfterMs = 86_400_000;

/** Hands over what waits for it, and has what sends it run. @returns how many messages are through */
export async function routeMessages(ar: BaseRequest, db: SiteDatabase): Promise<number> {
  const ways = new Map(Array.from(notificationWays, (way) => [way.name, way]));
  const senders = new Set<string>();
  const upTo = ar.now().getTime();
  let count = 0;
  for (let batch = await waiting(db, upTo, 0); batch.length > 0; ) {
    for (const message of batch) {
      if (!(await mayGoOn(ar.signal))) return count;
      for (const { sender } of await new Routing(ar, db, message, ways).run()) {
        if (sender !== undefined) senders.add(sender);
      }
      count++;
    }
    batch = await waiting(db, upTo, batch.at(-1)?.id ?? 0);
  }
  for (const procedure of senders) {
    const rule = await activeRuleOf(ar.db, procedure);
    if (rule !== null) await ar.requestRun(rule);
  }
  if (count > 0) ar.debug(`${counted(count, 'message')} went the ways of their users`);
  return count;
}

async function waiting(db: SiteDatabase, upTo: number, after: number): Promise<UserMessageRow[]> {
  return await db
    .selectFrom('user_messages')
    .selectAll()
    .where('route_at', '<=', upTo)
    .where('id', '>', after)
    .orderBy('id')
    // The number itself: with a value SQLite plans the query twice.
    .limit(sql.lit(batchSize))
    .execute();
}

/** One message's way. */
class Routing {
  readonly #ar: BaseRequest;
  readonly #db: SiteDatabase;
  readonly #message: UserMessageRow;
  readonly #ways: ReadonlyMap<string, NotificationWay>;
  /** Ways that failed now, with what they threw. */
  readonly #failed = new Map<string, unknown>();
  /** Ways that took it over. */
  readonly #taken = new Set<NotificationWay>();

  constructor(
    ar: BaseRequest,
    db: SiteDatabase,
    message: UserMessageRow,
    ways: ReadonlyMap<string, NotificationWay>,
  ) {
    this.#ar = ar;
    this.#db = db;
    this.#message = message;
    this.#ways = ways;
  }

  /**
   * What a way throws ends the transaction, since PostgreSQL allows nothing more in it; it is begun without that way.
   *
   * @returns the ways that took it over
   */
  async run(): Promise<ReadonlySet<NotificationWay>> {
    for (;;) {
      const failed = this.#failed.size;
      this.#taken.clear();
      try {
        const isMine = await transact(this.#db, async (tx) => await this.#handOver(tx));
        if (isMine) this.#tell();
        return this.#taken;
      } catch (error) {
        // Of the database itself, and not of a way: the run ends with it.
        if (this.#failed.size === failed) throw error;
      }
    }
  }

  /** @returns false when another run was faster */
  async #handOver(tx: SiteDatabase): Promise<boolean> {
    const { id, user, kind } = this.#message;
    const row = await tx
      .selectFrom('user_messages')
      .select(['route_at', 'pending_ways'])
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst();
    if (row === undefined || row.route_at !== this.#message.route_at) return false;
    const isFirst = row.pending_ways === null;
    const ways = row.pending_ways === null ? await chosenWays(tx, user, kind) : parseWays(row.pending_ways);
    for (const name of ways) {
      if (name !== inApp && !this.#failed.has(name)) await this.#deliver(name, tx);
    }
    const later = ways.filter((name) => this.#failed.has(name) && !this.#isFinal(this.#failed.get(name)));
    const isShown = isFirst ? ways.includes(inApp) || this.#failed.size > 0 : undefined;
    const now = this.#ar.now().getTime();
    await tx
      .updateTable('user_messages')
      .set({
        pending_ways: JSON.stringify(later),
        route_at: later.length > 0 ? now + pauseMs : null,
        problem: this.#problem(),
      })
      // Where the user gets it otherwise, the application need not show it, and may forget it in time.
      .$if(isShown === false, (query) => query.set({ in_app: 0, seen_at: now }))
      .$if(isShown === true, (query) => query.set({ in_app: 1 }))
      .where('id', '=', id)
      .execute();
    return true;
  }

  async #deliver(name: string, tx: SiteDatabase): Promise<void> {
    try {
      const way = this.#ways.get(name);
      if (way === undefined) throw new Error(`no notification way ${JSON.stringify(name)} is registered`);
      await way.deliver(this.#message, tx, this.#ar);
      this.#taken.add(way);
    } catch (error) {
      this.#failed.set(name, error);
      throw error;
    }
  }

  #isFinal(error: unknown): boolean {
    return (
      error instanceof UndeliverableError ||
      this.#ar.now().getTime() - this.#message.created_at >= giveUpAfterMs
    );
  }

  #problem(): string | null {
    if (this.#failed.size === 0) return null;
    return Array.from(this.#failed, ([name, error]) => `${name}: ${headline(error)}`).join('; ');
  }

  #tell(): void {
    const { id, user, problem: before } = this.#message;
    const problem = this.#problem();
    if (problem === null) return;
    const text = `message ${id} to ${user}: ${problem}`;
    // Once, not every minute for a day.
    if (problem === before) this.#ar.debug(text);
    else this.#ar.warning(text);
  }
}
