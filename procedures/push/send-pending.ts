// Sending what waits: several deliveries side by side, each claimed right before it is sent, and marked by itself.

import type { BaseRequest } from '../../src/index.js';
import { counted } from '../counted.js';
import { headline } from '../failures.js';
import { mayGoOn } from '../pause.js';
import type { SiteDatabase } from '../store/open.js';
import { PrivateAddressError } from './addresses.js';
import {
  claim,
  type Delivery,
  dropSubscription,
  giveBack,
  markFailed,
  markForLater,
  markSent,
  putOff,
  takeBack,
} from './deliveries.js';
import { Poster } from './post.js';
import type { VapidDetails } from './vapid.js';
import { judge, maxAttempts, pauseAfter, type Verdict } from './verdict.js';
import { BrokenSubscriptionError, type WebPush } from './web-push.js';

/** Deliveries on the way at a time. */
const width = 16;
const timeoutMs = 10_000;
/** When the run is to end, what is on the way has so long before it is cut off; less than a run's usual grace. */
const lastWordsMs = 2000;
/** So many failures are told in the log; the others are in the table. */
const toldFailures = 20;

/** What becomes of a delivery, with what this side can find wrong. */
type Outcome = Verdict | { readonly kind: 'broken' | 'over' | 'cut'; readonly answer: string };

/** One run's sending. */
export class PushRun {
  readonly #ar: BaseRequest;
  readonly #db: SiteDatabase;
  readonly #webPush: WebPush;
  readonly #vapid: VapidDetails;
  readonly #poster: Poster;
  readonly #cut = new AbortController();
  readonly #onTheWay = new Set<Promise<void>>();
  #sent = 0;
  #failed = 0;
  #trouble: unknown;

  constructor(ar: BaseRequest, db: SiteDatabase, webPush: WebPush, vapid: VapidDetails) {
    this.#ar = ar;
    this.#db = db;
    this.#webPush = webPush;
    this.#vapid = vapid;
    const allowPrivate = ar.site.settings.pushToPrivateAddresses;
    this.#poster = new Poster({ allowPrivate, connections: width, timeoutMs });
  }

  /** Sends what is due until there is no more, or the run is to end. Rejects only when the database fails. */
  async run(): Promise<void> {
    const { signal } = this.#ar;
    const onAbort = () => void setTimeout(() => this.#cut.abort(signal.reason), lastWordsMs).unref();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const orphans = await takeBack(this.#ar, this.#db);
      if (orphans > 0)
        this.#ar.warning(`${counted(orphans, 'push was', 'pushes were')} in the hands of a job that ended`);
      await this.#sendAll();
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#poster.close();
    }
    if (this.#trouble !== undefined) throw this.#trouble;
    if (this.#sent + this.#failed === 0) this.#ar.debug('no push is due');
    else {
      const failed = this.#failed === 0 ? '' : `, ${this.#failed} failed`;
      this.#ar.info(`${counted(this.#sent, 'push', 'pushes')} sent${failed}`);
    }
  }

  async #sendAll(): Promise<void> {
    // What fails now comes again in a later run.
    const upTo = this.#ar.now().getTime();
    let more = true;
    for (;;) {
      more &&= this.#trouble === undefined && (await mayGoOn(this.#ar.signal));
      if (more && this.#onTheWay.size < width) {
        const claimed = await claim(this.#ar, this.#db, width - this.#onTheWay.size, upTo);
        more = claimed.length > 0;
        for (const delivery of claimed) this.#start(delivery);
      } else if (this.#onTheWay.size > 0) {
        await Promise.race(this.#onTheWay);
      } else {
        return;
      }
    }
  }

  #start(delivery: Delivery): void {
    const way = this.#deliver(delivery)
      .catch((error: unknown) => {
        this.#trouble ??= error;
      })
      .finally(() => this.#onTheWay.delete(way));
    this.#onTheWay.add(way);
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const outcome = await this.#attempt(delivery);
    await this.#keep(delivery, outcome);
    if (outcome.kind === 'sent') this.#sent++;
    else if (outcome.kind !== 'cut' && outcome.kind !== 'later') this.#failed++;
    this.#ar.progress(this.#sent + this.#failed, undefined, 'pushes');
  }

  async #attempt({ message, subscription }: Delivery): Promise<Outcome> {
    const now = this.#ar.now().getTime();
    if (subscription === undefined) return { kind: 'refused', answer: 'its subscription is gone' };
    // A browser that several people use is subscribed for whoever came last.
    if (message.user !== null && message.user !== subscription.user)
      return { kind: 'refused', answer: 'its subscription belongs to another user by now' };
    if (message.expires_at <= now)
      return { kind: 'over', answer: 'its time to live was over before it could be sent' };
    const ttlSeconds = Math.floor((message.expires_at - now) / 1000);
    try {
      const request = this.#webPush.requestFor(subscription, message, ttlSeconds, this.#vapid);
      return judge(await this.#poster.post(request, this.#cut.signal), this.#ar.now().getTime());
    } catch (error) {
      if (error instanceof BrokenSubscriptionError || error instanceof PrivateAddressError) {
        return { kind: 'broken', answer: error.message };
      }
      if (this.#cut.signal.aborted) return { kind: 'cut', answer: '' };
      return { kind: 'failed', answer: headline(error) };
    }
  }

  async #keep(delivery: Delivery, outcome: Outcome): Promise<void> {
    const { kind, answer } = outcome;
    const [ar, db] = [this.#ar, this.#db];
    switch (kind) {
      case 'sent':
        await markSent(ar, db, delivery, answer);
        ar.debug(`${nameOf(delivery)} sent: ${answer}`);
        return;
      case 'cut':
        await giveBack(ar, db, delivery);
        return;
      case 'later':
        await putOff(ar, db, delivery, outcome);
        this.#tell(delivery, `put off until ${new Date(outcome.at).toISOString()}`, answer);
        return;
      case 'gone':
        await dropSubscription(ar, db, delivery, 'gone', answer);
        this.#tell(delivery, 'the subscription is removed', answer);
        return;
      case 'broken':
        await dropSubscription(ar, db, delivery, 'broken', answer);
        this.#tell(delivery, 'the subscription is broken', answer);
        return;
      case 'failed': {
        const attempt = delivery.attempts + 1;
        const at = ar.now().getTime() + pauseAfter(attempt);
        if (attempt < maxAttempts && at < delivery.message.expires_at) {
          await markForLater(ar, db, delivery, answer, at);
          this.#tell(delivery, `next attempt in ${pauseAfter(attempt) / 1000} s`, answer);
          return;
        }
        break;
      }
    }
    await markFailed(ar, db, delivery, answer);
    this.#tell(delivery, 'given up', answer);
  }

  #tell(delivery: Delivery, next: string, answer: string): void {
    const text = `${nameOf(delivery)} failed, ${next}: ${answer}`;
    if (this.#failed < toldFailures) this.#ar.warning(text);
    else this.#ar.debug(text);
  }
}

function nameOf({ message, subscription, subscription_id }: Delivery): string {
  const whose = subscription === undefined ? '' : ` of ${subscription.user}`;
  return `push ${message.id} to subscription ${subscription_id}${whose}`;
}
