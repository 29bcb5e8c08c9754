// Sends the rows of an outbox, in parallel up to the transport's limit.

import { setTimeout } from 'node:timers/promises';
import { type BaseRequest, LinodError } from '../../src/index.js';
import { counted } from '../shared/counted.js';
import { shouldContinue } from '../shared/pause.js';
import type { SiteDatabase } from '../store/open.js';
import { Outbox, type OutboxKind, type OutboxRow, type Verdict } from './outbox.js';

/** Sends the rows of an outbox to the other side. */
export interface Transport<Row> {
  /** The maximum number of parallel attempts. */
  readonly connections: number;
  /**
   * Tries to send one row; never rejects because of the other side.
   *
   * @param handOver call it and await it before the other side has enough to accept the row
   * @param ending aborted when the run ends
   */
  attempt(row: Row, handOver: () => Promise<void>, ending: AbortSignal): Promise<Verdict>;
  close(): void;
}

/** The interval of polls for other rows while a slow one is being sent. */
const pollMs = 500;

/** The last reason of each outbox that nothing could be sent. A lasting one is a warning only once. */
const troubles = new Map<string, string>();

/**
 * Sends due rows, the longest waiting first, until there are no more or the run ends.
 *
 * @param open opens the transport; if it throws a LinodError, that is logged and all rows wait
 */
export async function sendPending<Row extends OutboxRow>(
  ar: BaseRequest,
  db: SiteDatabase,
  kind: OutboxKind<Row>,
  open: () => Promise<Transport<Row>>,
): Promise<void> {
  const outbox = new Outbox(ar, db, kind);
  const due = await outbox.countDue();
  if (due === 0) return ar.debug(`no ${kind.one} is due`);
  let transport: Transport<Row>;
  try {
    transport = await open();
  } catch (error) {
    if (!(error instanceof LinodError)) throw error;
    const waiting = counted(due, `${kind.one} waits`, `${kind.many} wait`);
    return logTrouble(ar, kind.table, waiting, error.message);
  }
  try {
    await new Sending(ar, outbox, transport).run();
  } finally {
    transport.close();
  }
}

class Sending<Row extends OutboxRow> {
  readonly #ar: BaseRequest;
  readonly #outbox: Outbox<Row>;
  readonly #transport: Transport<Row>;
  readonly #underWay = new Set<Promise<void>>();
  #sent = 0;
  #failed = 0;
  /** Why nothing can be sent now. */
  #down: string | undefined;
  /** The database's error, after which nothing more is started. */
  #broken: { readonly error: unknown } | undefined;

  constructor(ar: BaseRequest, outbox: Outbox<Row>, transport: Transport<Row>) {
    this.#ar = ar;
    this.#outbox = outbox;
    this.#transport = transport;
  }

  async run(): Promise<void> {
    await this.#outbox.releaseOrphans();
    const { connections } = this.#transport;
    try {
      while (this.#canBegin && (await shouldContinue(this.#ar.signal))) {
        for (const row of await this.#outbox.claim(connections - this.#underWay.size)) this.#start(row);
        if (this.#underWay.size === 0) break;
        if (this.#underWay.size === connections) await Promise.race(this.#underWay);
        else await this.#pollLater();
      }
    } finally {
      await Promise.all(this.#underWay);
    }
    this.#report();
    if (this.#broken !== undefined) throw this.#broken.error;
  }

  get #canBegin(): boolean {
    return this.#down === undefined && this.#broken === undefined;
  }

  #start(row: Row): void {
    const work = this.#send(row)
      .catch((error: unknown) => {
        this.#broken ??= { error };
      })
      .finally(() => this.#underWay.delete(work));
    this.#underWay.add(work);
  }

  async #send(row: Row): Promise<void> {
    const handOver = () => this.#outbox.handOver(row);
    const verdict = await this.#transport.attempt(row, handOver, this.#ar.signal);
    await this.#outbox.mark(row, verdict);
    const { kind, answer } = verdict;
    if (kind === 'down') this.#down = answer;
    else if (kind === 'sent') this.#sent++;
    else if (kind !== 'ended' && kind !== 'postponed') this.#failed++;
    this.#ar.progress(this.#sent + this.#failed, undefined, this.#outbox.kind.many);
  }

  async #pollLater(): Promise<void> {
    const controller = new AbortController();
    const pause = setTimeout(pollMs, undefined, { signal: controller.signal }).catch(() => undefined);
    await Promise.race([...this.#underWay, pause]);
    controller.abort();
  }

  #report(): void {
    const { one, many, table } = this.#outbox.kind;
    if (this.#sent > 0) troubles.delete(table);
    if (this.#down !== undefined) {
      logTrouble(this.#ar, table, `no ${one} can be sent now`, this.#down);
    }
    const failed = this.#failed === 0 ? '' : `, ${this.#failed} not`;
    if (this.#sent + this.#failed > 0) this.#ar.info(`${counted(this.#sent, one, many)} sent${failed}`);
    else if (this.#down === undefined) this.#ar.debug(`no ${one} is due`);
  }
}

function logTrouble(ar: BaseRequest, table: string, text: string, why: string): void {
  if (troubles.get(table) === why) ar.debug(`${text}: ${why}`);
  else ar.warning(`${text}: ${why}`);
  troubles.set(table, why);
}
