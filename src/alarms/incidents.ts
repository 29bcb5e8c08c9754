// The incidents in the database: raised once, cleared once, and announced unless somebody wants silence.

import { type Kysely, type Selectable, sql } from 'kysely';
import { durationText } from '../base/duration.js';
import { UsageError } from '../base/errors.js';
import { idList } from '../store/dialect.js';
import type { AlarmDeliveryRow, AlarmRow, Database } from '../store/schema.js';
import { transact } from '../store/transact.js';
import { type Finding, isKind, keyOf, kindNames, kinds, localKinds, noWorkerMs, repeatMs } from './kinds.js';

/** What is no state but happens is over when it has not happened for so long. */
const eventMs = 3_600_000;
/** How long incidents are kept that are over. */
const keepMs = 90 * 86_400_000;

export interface Changes {
  readonly raised: readonly AlarmRow[];
  readonly cleared: readonly AlarmRow[];
}

export class Incidents {
  readonly #db: Kysely<Database>;
  readonly #ways: readonly string[];
  /** Since when something is wrong that has not lasted long enough. */
  readonly #since = new Map<string, number>();

  /** @param ways the names of the ways by which incidents are announced */
  constructor(db: Kysely<Database>, ways: readonly string[]) {
    this.#db = db;
    this.#ways = ways;
  }

  /**
   * Raises what is wrong and clears what is not, each once, whatever number of processes watch.
   *
   * @param isJudged whether the findings say of an open incident that it goes on or is over
   */
  async update(
    findings: readonly Finding[],
    isJudged: (incident: AlarmRow) => boolean,
    now: number,
  ): Promise<Changes> {
    const open = await this.#db.selectFrom('alarms').selectAll().where('cleared_at', 'is', null).execute();
    const seenAt = new Map(open.map((incident) => [keyOf(incident), incident.seen_at]));
    const found = new Set(findings.map(keyOf));
    const lasting = this.#lasting(findings, now).filter((finding) => !seenAt.has(keyOf(finding)));
    const repeated = findings.filter(
      (finding) => localKinds.has(finding.kind) && (seenAt.get(keyOf(finding)) ?? now) <= now - repeatMs,
    );
    const over = open.filter((incident) =>
      incident.kind === 'log-gap'
        ? incident.seen_at < now - eventMs
        : isJudged(incident) && !found.has(keyOf(incident)),
    );
    const mayAnnounce = open.some(
      ({ announced_at, acknowledged_at }) => (announced_at ?? acknowledged_at) === null,
    );
    const noted = [...lasting, ...repeated];
    if (noted.length === 0 && over.length === 0 && !mayAnnounce) return { raised: [], cleared: [] };
    return await transact(this.#db, async (tx) => {
      for (const finding of noted) await insert(tx, finding, now);
      const cleared = await this.#clear(tx, over, now);
      return { raised: await this.#announce(tx, now), cleared };
    });
  }

  #lasting(findings: readonly Finding[], now: number): Finding[] {
    const found = new Set(findings.map(keyOf));
    for (const key of this.#since.keys()) if (!found.has(key)) this.#since.delete(key);
    return findings.filter((finding) => {
      const key = keyOf(finding);
      // The clock may have been set back since.
      const since = Math.min(this.#since.get(key) ?? finding.since ?? now, now);
      this.#since.set(key, since);
      return finding.isNear !== true && now - since >= kinds[finding.kind].holdMs;
    });
  }

  async #clear(tx: Kysely<Database>, over: readonly AlarmRow[], now: number): Promise<AlarmRow[]> {
    const cleared = await tx
      .updateTable('alarms')
      .set({ cleared_at: now })
      .where('id', 'in', idList(tx, idsOf(over)))
      .where('cleared_at', 'is', null)
      .returningAll()
      .execute();
    const old = now - keepMs;
    await tx.deleteFrom('alarms').where('cleared_at', '<', old).execute();
    // Whoever heard of it hears of its end.
    for (const { id, announced_at } of cleared)
      if (announced_at !== null) await this.#queue(tx, id, 'cleared', now);
    return cleared;
  }

  /** Announces what is open, was not announced, and is not silenced any more. */
  async #announce(tx: Kysely<Database>, now: number): Promise<AlarmRow[]> {
    const silences = await silencesAt(tx, now);
    const waiting = await tx
      .selectFrom('alarms')
      .selectAll()
      .where('cleared_at', 'is', null)
      .where('announced_at', 'is', null)
      .where('acknowledged_at', 'is', null)
      .execute();
    const heard = waiting.filter((incident) => silencedUntil(incident, silences) === null);
    const announced = await tx
      .updateTable('alarms')
      .set({ announced_at: now })
      .where('id', 'in', idList(tx, idsOf(heard)))
      // Another process may have announced it meanwhile.
      .where('announced_at', 'is', null)
      .returningAll()
      .execute();
    for (const { id } of announced) await this.#queue(tx, id, 'raised', now);
    return announced;
  }

  async #queue(tx: Kysely<Database>, alarm: number, state: 'raised' | 'cleared', now: number): Promise<void> {
    if (this.#ways.length === 0) return;
    const rows = this.#ways.map((way) => ({ alarm_id: alarm, way, state, next_at: now }));
    await tx.insertInto('alarm_deliveries').values(rows).execute();
  }

  /**
   * Reports that no worker ran before this one: while none did, nobody could.
   *
   * @param own the worker that has started, and when it did
   */
  async reportOutage(own: { readonly id: string; readonly startedAt: number }): Promise<void> {
    const { last, living } = await this.#db
      .selectFrom('workers')
      .select(({ fn }) => [
        fn.max<number | null>('heartbeat_at').as('last'),
        sql<number>`sum(case when stopped_at is null then 1 else 0 end)`.as('living'),
      ])
      .where('id', '!=', own.id)
      .where('started_at', '<', own.startedAt)
      .executeTakeFirstOrThrow();
    if (last === null || Number(living) > 0 || own.startedAt - last < noWorkerMs) return;
    const reported = await this.#db
      .selectFrom('alarms')
      .select('id')
      .where('kind', '=', 'no-worker')
      .where('raised_at', '>=', last)
      .executeTakeFirst();
    if (reported !== undefined) return;
    const text = `no worker ran for ${durationText(own.startedAt - last)}, until worker ${own.id} was started`;
    await transact(this.#db, async (tx) => {
      await insert(tx, { kind: 'no-worker', subject: '', text }, last);
      // The next pass clears it, since a worker runs.
      await this.#announce(tx, own.startedAt);
    });
  }
}

async function insert(db: Kysely<Database>, finding: Finding, now: number): Promise<void> {
  const { kind, subject, text, rule = null } = finding;
  await db
    .insertInto('alarms')
    .values({ kind, subject, text, rule_id: rule, raised_at: now, seen_at: now })
    // It is open already.
    .onConflict((conflict) =>
      conflict.columns(['kind', 'subject']).where('cleared_at', 'is', null).doUpdateSet({ seen_at: now }),
    )
    .execute();
}

function idsOf(incidents: readonly AlarmRow[]): number[] {
  return incidents.map(({ id }) => id);
}

type Silence = Selectable<Database['alarm_silences']>;

async function silencesAt(db: Kysely<Database>, now: number): Promise<Silence[]> {
  return await db.selectFrom('alarm_silences').selectAll().where('until', '>', now).execute();
}

function silencedUntil({ kind, subject }: AlarmRow, silences: readonly Silence[]): number | null {
  const own = silences.filter((silence) => silence.kind === kind && (silence.subject ?? subject) === subject);
  return own.length === 0 ? null : Math.max(...own.map(({ until }) => until));
}

/** Records that log records were lost. The next pass announces it. */
export async function noteLogGap(
  db: Kysely<Database>,
  { sender, records }: { readonly sender: string; readonly records: number },
  now: number,
): Promise<void> {
  const text = `${records} log ${records === 1 ? 'record' : 'records'} of ${sender} lost: linod log verify`;
  await insert(db, { kind: 'log-gap', subject: sender, text }, now);
}

/** An incident with what became of its messages. */
export interface ListedIncident extends AlarmRow {
  readonly silenced_until_at: number | null;
  readonly deliveries: ReadonlyArray<
    Pick<AlarmDeliveryRow, 'way' | 'state' | 'attempts' | 'done_at' | 'answer'>
  >;
}

/** The open incidents and those that were over after an instant, the newest first. */
export async function listIncidents(
  db: Kysely<Database>,
  since: number,
  now: number,
): Promise<ListedIncident[]> {
  const rows = await db
    .selectFrom('alarms')
    .selectAll()
    .where((eb) => eb.or([eb('cleared_at', 'is', null), eb('cleared_at', '>=', since)]))
    .orderBy('id', 'desc')
    .execute();
  const silences = await silencesAt(db, now);
  const sent = await db
    .selectFrom('alarm_deliveries')
    .select(['alarm_id', 'way', 'state', 'attempts', 'done_at', 'answer'])
    .where('alarm_id', 'in', idList(db, idsOf(rows)))
    .orderBy('id')
    .execute();
  return rows.map((row) => ({
    ...row,
    silenced_until_at: silencedUntil(row, silences),
    deliveries: sent.filter(({ alarm_id }) => alarm_id === row.id).map(({ alarm_id: _, ...one }) => one),
  }));
}

/** @throws UsageError (`LINOD_ERR_USAGE`) */
export async function acknowledge(
  db: Kysely<Database>,
  id: number,
  by: string,
  now: number,
): Promise<AlarmRow> {
  const incident = await findIncident(db, id);
  if (incident.cleared_at !== null) throw new UsageError(`alarm ${id} is over already`);
  await db
    .updateTable('alarms')
    .set({ acknowledged_at: now, acknowledged_by: by })
    .where('id', '=', id)
    .where('acknowledged_at', 'is', null)
    .execute();
  return incident;
}

/**
 * Announces nothing of an incident, or of all of a kind, until an instant.
 *
 * @returns what is silenced
 * @throws UsageError (`LINOD_ERR_USAGE`)
 */
export async function silence(
  db: Kysely<Database>,
  what: string,
  by: string,
  until: number,
): Promise<string> {
  if (!/^\d+$/.test(what) && !isKind(what))
    throw new UsageError(
      `expected the number or a kind of an alarm, got: ${JSON.stringify(what)}; kinds are ${kindNames.join(', ')}`,
    );
  const { kind, subject } = isKind(what)
    ? { kind: what, subject: null }
    : await findIncident(db, Number(what));
  // The last word counts.
  await db
    .deleteFrom('alarm_silences')
    .where('kind', '=', kind)
    .where('subject', subject === null ? 'is' : '=', subject)
    .execute();
  await db.insertInto('alarm_silences').values({ kind, subject, until, silenced_by: by }).execute();
  return subject ? `${kind} of ${subject}` : kind;
}

async function findIncident(db: Kysely<Database>, id: number): Promise<AlarmRow> {
  const row = await db.selectFrom('alarms').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw new UsageError(`there is no alarm ${id}: linod alarms`);
  return row;
}
