// Queues pushes in the application's own transaction. A procedure sends them in the background.

import { randomUUID } from 'node:crypto';
import * as v from 'valibot';
import { LinodError, schemaProblems } from '../../src/index.js';
import { type AnyKysely, procedureTables } from '../store/open.js';
import type { PushDeliveryStatus, PushUrgency } from '../store/tables.js';

/** A push to one user's subscriptions, or to everybody's. */
export interface NewPush {
  /** The user, as the application names its users; null for all. */
  readonly to: string | null;
  /**
   * The content: a string, or an object that is sent as JSON. An object without an `id` gets one, by which
   * receivers recognise a repeated push. At most 3993 bytes.
   */
  readonly data: string | Readonly<Record<string, unknown>>;
  /** Default: normal. */
  readonly urgency?: PushUrgency | undefined;
  /**
   * A device that was offline gets the last push with the same topic: up to 32 of A-Z a-z 0-9 - _. Default: a
   * unique one.
   */
  readonly topic?: string | undefined;
  /** The lifetime in seconds. Default a day; 0 for devices that are online now; at most four weeks. */
  readonly ttlSeconds?: number | undefined;
  /** Default: now. */
  readonly at?: Date | undefined;
}

export interface QueuedPush {
  /** The push's number. */
  readonly id: number;
  /** The number of subscriptions that it is queued for. */
  readonly deliveries: number;
}

/** A push was refused before it was queued. */
export class InvalidPushError extends LinodError {
  readonly field: string;

  constructor(field: string, problem: string) {
    super('LINOD_ERR_INVALID_PUSH', `push: ${problem}`);
    this.field = field;
  }
}

/**
 * The payload limit: the 4096 bytes that every push service accepts, minus 86 for a header, 16 for a tag and
 * 1 for the padding's end. Source: RFC 8291, 4.
 */
export const maxPayloadBytes = 3993;

const defaultTtlSeconds = 86_400;
const maxTtlSeconds = 28 * 86_400;

const notEmpty = v.pipe(v.string(), v.minLength(1));
const pushSchema = v.looseObject({
  to: v.nullable(notEmpty),
  data: v.union([notEmpty, v.record(v.string(), v.unknown())]),
  urgency: v.optional(v.picklist(['very-low', 'low', 'normal', 'high'])),
  topic: v.optional(v.pipe(v.string(), v.regex(/^[\w-]{1,32}$/, '1 to 32 of A-Z, a-z, 0-9, "-" and "_"'))),
  ttlSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(maxTtlSeconds))),
});

/** The minimum time for a push to reach its push service. */
const minLifetimeMs = 60_000;

/**
 * Queues a push to all current subscriptions. `send_pending_push` sends it within seconds.
 *
 * @param db a Kysely or a transaction on the site's database
 * @throws InvalidPushError (`LINOD_ERR_INVALID_PUSH`)
 * @example
 * await queuePush(tx, { to: 'ann', data: { title: 'Order 17 was paid', url: '/orders/17' } });
 */
export async function queuePush(db: AnyKysely, push: NewPush): Promise<QueuedPush> {
  const { to, payload, topic, urgency, ttlSeconds } = parsePush(push);
  const at = (push.at ?? new Date()).getTime();
  const tables = procedureTables(db);
  const { id } = await tables
    .insertInto('push_messages')
    .values({
      user: to,
      payload,
      topic,
      urgency,
      queued_at: at,
      expires_at: at + Math.max(ttlSeconds * 1000, minLifetimeMs),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  const { numInsertedOrUpdatedRows } = await tables
    .insertInto('push_deliveries')
    .columns(['message_id', 'subscription_id', 'status', 'attempts', 'interruptions', 'next_attempt_at'])
    .expression((eb) =>
      eb
        .selectFrom('push_subscriptions')
        .select((s) => [
          s.cast<number>(s.val(id), 'bigint').as('message_id'),
          'id',
          s.cast<PushDeliveryStatus>(s.val('pending'), 'text').as('status'),
          s.lit(0).as('attempts'),
          s.lit(0).as('interruptions'),
          s.cast<number>(s.val(at), 'bigint').as('next_attempt_at'),
        ])
        .where('state', '=', 'active')
        .$if(to !== null, (query) => query.where('user', '=', to ?? ''))
        .orderBy('id'),
    )
    .executeTakeFirst();
  return { id, deliveries: Number(numInsertedOrUpdatedRows ?? 0n) };
}

/** Validates a push, and fills in the defaults. */
function parsePush(push: NewPush) {
  const [wrong] = schemaProblems(pushSchema, push);
  if (wrong !== undefined) throw new InvalidPushError(wrong.field, wrong.problem);
  const id = randomUUID();
  const { to, data, urgency = 'normal', topic, ttlSeconds = defaultTtlSeconds } = push;
  const payload = payloadOf(data, id);
  const bytes = Buffer.byteLength(payload);
  if (bytes > maxPayloadBytes)
    throw new InvalidPushError('data', `expected at most ${maxPayloadBytes} bytes of data, got: ${bytes}`);
  return { to, payload, topic: topic ?? id.replaceAll('-', ''), urgency, ttlSeconds };
}

function payloadOf(data: NewPush['data'], id: string): string {
  if (typeof data === 'string') return data;
  // valibot accepts an array as a record.
  if (Array.isArray(data))
    throw new InvalidPushError('data', 'expected data to be a text or an object, got a list');
  try {
    return JSON.stringify({ id, ...data });
  } catch (error) {
    throw new InvalidPushError('data', `expected data that JSON can express: ${String(error)}`);
  }
}
