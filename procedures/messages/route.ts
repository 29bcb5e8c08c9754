// Delivers messages on the ways that their users have chosen. One transaction delivers a message on one way
// and records the remaining ways. So a failed way does not block others, and no way is used twice.

import { activeRuleOf, type BaseRequest, sql, transact } from '../../src/index.js';
import { counted } from '../shared/counted.js';
import { headline } from '../shared/failures.js';
import { shouldContinue } from '../shared/pause.js';
import type { SiteDatabase } from '../store/open.js';
import type { UserMessageRow } from '../store/tables.js';
import { chosenWays, inApp, parseWays } from './preferences.js';
import { type NotificationWay, notificationWays, UndeliverableError } from './ways.js';

const batchSize = 200;
/** The pause after a failed way. The attempts end when the message is a day old. */
const pauseMs = 60_000;
const giveUpAfterMs = 86_400_000;

/** An error of a way, as opposed to one of the database. */
class WayError extends Error {}

/** Delivers waiting messages, and runs the procedures that send them. @returns how many messages */
export async function routeMessages(ar: BaseRequest, db: SiteDatabase): Promise<number> {
  const taken = new Set<NotificationWay>();
  const upTo = ar.now().getTime();
  let count = 0;
  for (let batch = await waiting(db, upTo, 0); batch.length > 0; ) {
    for (const message of batch) {
      if (!(await shouldContinue(ar.signal))) return count;
      await route(ar, db, message, taken);
      count++;
    }
    batch = await waiting(db, upTo, batch.at(-1)?.id ?? 0);
  }
  for (const procedure of new Set(Array.from(taken, ({ sender }) => sender))) {
    const rule = procedure === undefined ? null : await activeRuleOf(ar.db, procedure);
    if (rule !== null) await ar.requestRun(rule);
  }
  if (count > 0) ar.debug(`${counted(count, 'message')} delivered on the ways of their users`);
  return count;
}

async function waiting(db: SiteDatabase, upTo: number, after: number): Promise<UserMessageRow[]> {
  return await db
    .selectFrom('user_messages')
    .selectAll()
    .where('route_at', '<=', upTo)
    .where('id', '>', after)
    .orderBy('id')
    // A literal: with a parameter SQLite would plan the query twice.
    .limit(sql.lit(batchSize))
    .execute();
}

/** @param taken collects the ways that accepted the message */
async function route(
  ar: BaseRequest,
  db: SiteDatabase,
  message: UserMessageRow,
  taken: Set<NotificationWay>,
): Promise<void> {
  const { user, kind, pending_ways: pending } = message;
  const ways = pending === null ? await chosenWays(db, user, kind) : parseWays(pending);
  const failed = new Map<string, unknown>();
  let left = ways.filter((name) => name !== inApp);
  let noted = pending;
  for (const name of left) {
    const rest = left.filter((other) => other !== name);
    try {
      const way = await transact(db, async (tx) =>
        (await record(tx, message, noted, { pending_ways: JSON.stringify(rest) }))
          ? await deliver(name, message, tx, ar)
          : null,
      );
      // Another run was faster.
      if (way === null) return;
      taken.add(way);
      left = rest;
      noted = JSON.stringify(rest);
    } catch (error) {
      if (!(error instanceof WayError)) throw error;
      failed.set(name, error.cause);
    }
  }
  await finish(ar, db, message, { noted, left, failed });
}

async function deliver(
  name: string,
  message: UserMessageRow,
  tx: SiteDatabase,
  ar: BaseRequest,
): Promise<NotificationWay> {
  const way = [...notificationWays].find((known) => known.name === name);
  try {
    if (way === undefined) throw new Error(`no notification way ${JSON.stringify(name)} is registered`);
    await way.deliver(message, tx, ar);
    return way;
  } catch (cause) {
    throw new WayError(name, { cause });
  }
}

/** Updates a message. @returns false when another run has updated it meanwhile */
async function record(
  db: SiteDatabase,
  { id }: UserMessageRow,
  pending: string | null,
  changes: Partial<UserMessageRow>,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('user_messages')
    .set(changes)
    .where('id', '=', id)
    .where('pending_ways', pending === null ? 'is' : '=', pending)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

interface Outcome {
  readonly noted: string | null;
  readonly left: readonly string[];
  readonly failed: ReadonlyMap<string, unknown>;
}

/** Records the ways to retry, and shows failed messages in the application. */
async function finish(
  ar: BaseRequest,
  db: SiteDatabase,
  message: UserMessageRow,
  { noted, left, failed }: Outcome,
): Promise<void> {
  const now = ar.now().getTime();
  const isOld = now - message.created_at >= giveUpAfterMs;
  const later = left.filter((name) => !isOld && !(failed.get(name) instanceof UndeliverableError));
  const problems = Array.from(failed, ([name, error]) => `${name}: ${headline(error)}`);
  const problem = problems.join('; ') || null;
  const isMine = await record(db, message, noted, {
    pending_ways: JSON.stringify(later),
    route_at: later.length > 0 ? now + pauseMs : null,
    problem,
    ...(problem === null ? {} : { in_app: 1 }),
    // Messages that the application does not show can be deleted in time.
    ...(problem === null && message.in_app === 0 ? { seen_at: now } : {}),
  });
  if (problem === null || !isMine) return;
  const text = `message ${message.id} to ${message.user}: ${problem}`;
  // Warns once, not every minute for a day.
  if (problem === message.problem) ar.debug(text);
  else ar.warning(text);
}
