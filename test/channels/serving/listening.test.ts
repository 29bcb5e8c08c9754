// The verdict on a listener, and the watch that tells of it.

import t, { type Test } from 'tap';
import { ListenerWatch } from '../../../channels/serving/listener-watch.js';
import { isOverdue, type Listening, listenerState } from '../../../channels/serving/listening.js';
import type { WorkerEvent } from '../../../channels/serving/worker-events.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { turns } from '../../support/until.js';

const healthy: Listening = { waitingMs: 60_000, heardMsAgo: 9000, dueMs: 11_000 };
const silent: Listening = { waitingMs: 60_000, heardMsAgo: 12_000, dueMs: 11_000 };
const calm = { isRestarting: false, isHandling: false, isHeldBack: false, listening: healthy };

t.test('a store is overdue when it was not heard of since it was due', async (t) => {
  t.notOk(isOverdue(healthy));
  t.ok(isOverdue(silent));
  t.notOk(isOverdue({ ...silent, heardMsAgo: 11_000 }), 'it is due at the end of the time');
});

t.test('a store of which nothing was asked before is due from then on', async (t) => {
  t.notOk(isOverdue({ waitingMs: 10, heardMsAgo: 3_600_000, dueMs: 11_000 }));
  t.notOk(isOverdue({ waitingMs: 10, heardMsAgo: null, dueMs: 11_000 }));
  t.ok(isOverdue({ waitingMs: 12_000, heardMsAgo: null, dueMs: 11_000 }), 'it was never heard of');
});

t.test('each state has its reason, and the weightier decides', async (t) => {
  t.equal(listenerState(calm), 'waiting');
  t.equal(listenerState({ ...calm, listening: undefined }), 'waiting', 'nothing is asked, or cannot be deaf');
  t.equal(listenerState({ ...calm, isHeldBack: true }), 'paused');
  t.equal(listenerState({ ...calm, isHeldBack: true, isHandling: true }), 'busy');
  t.equal(listenerState({ ...calm, isHandling: true, listening: silent }), 'deaf');
  t.equal(listenerState({ ...calm, isRestarting: true, listening: silent }), 'restarting');
});

/** A watch over one listener of a store that answers every 10 s and is due every 11 s, as long as the test lets it. */
class Store {
  readonly clock = new ManualClock();
  readonly events: WorkerEvent[] = [];
  isAsked = true;
  isAnswering = true;
  #waitingSince = this.clock.now();
  #heardAt: number | undefined;

  constructor(t: Test) {
    const stopping = new AbortController();
    const listener = { channel: 'chat', listening: () => this.#listening() };
    const report = (event: WorkerEvent) => this.events.push(event);
    const watch = new ListenerWatch({ listeners: [listener], clock: this.clock, report });
    const done = watch.run(stopping.signal);
    t.teardown(async () => {
      stopping.abort();
      await done;
    });
  }

  /** Lets time pass, in steps so small that whoever waits is called back in time. */
  async pass(seconds: number): Promise<void> {
    for (let tenth = 1; tenth <= seconds * 10; tenth++) {
      this.clock.advance(100);
      const waitedMs = this.clock.now() - (this.#heardAt ?? this.#waitingSince);
      if (this.isAnswering && waitedMs >= 10_000) this.#heardAt = this.clock.now();
      await turns(1);
    }
  }

  answer(): void {
    this.#heardAt = this.clock.now();
  }

  askAnew(): void {
    this.#waitingSince = this.clock.now();
  }

  /** The types of what was told. */
  get told(): string[] {
    return this.events.map(({ type }) => type);
  }

  #listening(): Listening | undefined {
    if (!this.isAsked) return undefined;
    const now = this.clock.now();
    const heardMsAgo = this.#heardAt === undefined ? null : now - this.#heardAt;
    return { waitingMs: now - this.#waitingSince, heardMsAgo, dueMs: 11_000 };
  }
}

t.test('an idle listener whose store answers in time is never told of', async (t) => {
  const store = new Store(t);
  await store.pass(300);
  t.same(store.events, []);
});

t.test('deaf is told once within 15 s, and hearing again once', async (t) => {
  const store = new Store(t);
  await store.pass(30);
  store.isAnswering = false;
  await store.pass(11);
  t.same(store.told, [], 'it is not due yet');
  await store.pass(2);
  t.match(store.events, [{ type: 'deaf', channel: 'chat', dueMs: 11_000 }]);
  await store.pass(60);
  t.same(store.told, ['deaf']);
  store.answer();
  await store.pass(1);
  t.same(store.told, ['deaf', 'hearsAgain']);
  store.isAnswering = true;
  await store.pass(60);
  t.same(store.told, ['deaf', 'hearsAgain']);
});

t.test('a store that was never heard of makes deaf, too', async (t) => {
  const store = new Store(t);
  store.isAnswering = false;
  await store.pass(14);
  t.same(store.told, ['deaf']);
});

t.test('what is asked for nothing cannot be deaf, and is noticed soon after it asks', async (t) => {
  const store = new Store(t);
  store.isAsked = false;
  store.isAnswering = false;
  await store.pass(100);
  t.same(store.told, []);
  store.isAsked = true;
  store.askAnew();
  await store.pass(15);
  t.same(store.told, ['deaf']);
});

t.test('one that gave up and asks anew hears only when the store was heard of', async (t) => {
  const store = new Store(t);
  store.isAnswering = false;
  await store.pass(20);
  store.askAnew();
  await store.pass(5);
  t.same(store.told, ['deaf']);
  store.answer();
  await store.pass(2);
  t.same(store.told, ['deaf', 'hearsAgain']);
});

t.test('a process that stood still itself does not blame the store', async (t) => {
  const store = new Store(t);
  await store.pass(30);
  store.isAnswering = false;
  await store.pass(11.1);
  // As after SIGSTOP: the timer comes late, and what the store said in time is read after it.
  store.clock.advance(3_600_000);
  await turns(3);
  store.isAnswering = true;
  store.answer();
  await store.pass(60);
  t.same(store.told, []);
});
