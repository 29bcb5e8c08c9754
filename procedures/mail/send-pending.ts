// Sending what waits in the outbox: as many mails at once as the transport takes side by side. Some more are in hand
// already when their turn comes; of a process that dies, only those count that it has begun to hand over.

import { setTimeout } from 'node:timers/promises';
import type { BaseRequest } from '../../src/index.js';
import { counted } from '../counted.js';
import { mayGoOn } from '../pause.js';
import type { SiteDatabase } from '../store/open.js';
import type { OutboxMailRow } from '../store/tables.js';
import { attempt } from './attempt.js';
import { Claims, type Verdict } from './claims.js';
import { forgetNews, isNews, type MailTransport } from './transport.js';

/** While a slow one is in hand, mails that come meanwhile are looked for so often. */
const lookEveryMs = 500;

/** Sends what is due, the longest waiting first, until there is no more or the run is to end. */
export async function sendPending(
  ar: BaseRequest,
  db: SiteDatabase,
  transport: MailTransport,
): Promise<void> {
  await new Sending(ar, new Claims(ar, db), transport).run();
}

class Sending {
  readonly #ar: BaseRequest;
  readonly #claims: Claims;
  readonly #transport: MailTransport;
  /** In hand, and not begun. */
  readonly #next: OutboxMailRow[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #sent = 0;
  #failed = 0;
  /** Why nothing can be sent now. */
  #down: string | undefined;
  /** What the database threw: nothing more is begun then. */
  #broken: { readonly error: unknown } | undefined;

  constructor(ar: BaseRequest, claims: Claims, transport: MailTransport) {
    this.#ar = ar;
    this.#claims = claims;
    this.#transport = transport;
  }

  async run(): Promise<void> {
    await this.#claims.takeBack();
    const connections = this.#transport.connections ?? 1;
    try {
      while (this.#canBegin && (await mayGoOn(this.#ar.signal))) {
        const free = connections - this.#underWay.size;
        if (this.#next.length < free) this.#next.push(...(await this.#claims.take(free + connections)));
        for (const mail of this.#next.splice(0, free)) this.#start(mail);
        if (this.#underWay.size === 0) break;
        if (this.#underWay.size === connections) await Promise.race(this.#underWay);
        else await this.#lookLater();
      }
    } finally {
      await Promise.all(this.#underWay);
    }
    if (this.#broken === undefined) await this.#claims.release(this.#next);
    this.#tell();
    if (this.#broken !== undefined) throw this.#broken.error;
  }

  get #canBegin(): boolean {
    return this.#down === undefined && this.#broken === undefined;
  }

  #start(mail: OutboxMailRow): void {
    const work = this.#send(mail)
      .catch((error: unknown) => {
        this.#broken ??= { error };
      })
      .finally(() => this.#underWay.delete(work));
    this.#underWay.add(work);
  }

  async #send(mail: OutboxMailRow): Promise<void> {
    const verdict = await attempt(this.#claims, this.#transport, mail, this.#ar.signal);
    await this.#claims.mark(mail, verdict);
    this.#count(verdict);
  }

  #count({ kind, answer }: Verdict): void {
    if (kind === 'down') this.#down = answer;
    else if (kind === 'sent') this.#sent++;
    else if (kind !== 'ended') this.#failed++;
    this.#ar.progress(this.#sent + this.#failed, undefined, 'mails');
  }

  async #lookLater(): Promise<void> {
    const controller = new AbortController();
    const pause = setTimeout(lookEveryMs, undefined, { signal: controller.signal }).catch(() => undefined);
    await Promise.race([...this.#underWay, pause]);
    controller.abort();
  }

  #tell(): void {
    if (this.#sent > 0) forgetNews('down');
    if (this.#down !== undefined) {
      const text = `no mail can be sent now, all wait: ${this.#down}`;
      if (isNews('down')) this.#ar.warning(text);
      else this.#ar.debug(text);
    }
    const failed = this.#failed === 0 ? '' : `, ${this.#failed} not`;
    if (this.#sent + this.#failed > 0) this.#ar.info(`${counted(this.#sent, 'mail')} sent${failed}`);
    else if (this.#down === undefined) this.#ar.debug('no mail is due');
  }
}
