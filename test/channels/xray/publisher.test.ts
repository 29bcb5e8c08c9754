import t from 'tap';
import { LayerUnavailableError } from '../../../channels/errors.js';
import { Publisher } from '../../../channels/xray/publisher.js';
import { Recorder } from '../../../channels/xray/recorder.js';
import { readEvents } from '../../../channels/xray/ring.js';
import { identifyProcess, type Report, type XraySource } from '../../../channels/xray/source.js';
import { until } from '../../support/until.js';

/** A store that takes reports, or does not. */
class Store {
  readonly reports: Report[] = [];
  isAway = false;
  isAsking = false;

  readonly source: XraySource = {
    isShared: true,
    hasIds: true,
    publish: async (report) => {
      this.reports.push(report);
      if (this.isAway) throw new LayerUnavailableError('it is away');
      return this.isAsking && report.holdsEvents;
    },
    look: async () => ({ depths: new Map(), counts: new Map(), processes: [] }),
    peek: async () => [],
    groups: async () => [],
    askForEvents: async () => async () => [],
    leftEvents: async () => [],
  };
}

function setUp() {
  const store = new Store();
  const recorder = new Recorder(() => 0);
  const waits = new Set<string>();
  const receives = () => [...waits];
  const publisher = new Publisher({ process: identifyProcess(0), recorder, source: store.source, receives });
  return { store, recorder, publisher, waits };
}

t.test(
  'a report that may not have arrived is told again as it was, and what came since after it',
  async (t) => {
    const { store, recorder, publisher } = setUp();
    t.teardown(() => publisher.close());
    recorder.sent('mail', 0, 1, 0);
    store.isAway = true;
    await publisher.publishNow();
    recorder.sent('mail', 0, 2, 0);
    await publisher.publishNow();
    store.isAway = false;
    await publisher.publishNow();
    t.same(
      store.reports.map(({ number, counts }) => [number, counts.map(([, { sent }]) => sent)]),
      [
        [1, [1]],
        [1, [1]],
        [1, [1]],
        [2, [1]],
      ],
    );
  },
);

t.test('who is asked leaves its events at once', async (t) => {
  const { store, recorder, publisher } = setUp();
  t.teardown(() => publisher.close());
  recorder.sent('mail', 0, 1, 5);
  store.isAsking = true;
  await publisher.publishNow();
  const [first, second] = store.reports;
  t.match(first, { holdsEvents: true, events: undefined });
  t.match(second, { holdsEvents: false, keepPieces: 0, counts: [] });
  t.same(readEvents(second?.events ?? new Uint8Array(), 0, 1), [{ event: 'sent', channel: 'mail', at: 5 }]);
});

t.test('what is closed leaves its events and says that it is gone, once', async (t) => {
  const { store, recorder, publisher } = setUp();
  recorder.sent('mail', 0, 1, 5);
  await publisher.close();
  await publisher.close();
  t.match(store.reports, [{ isLast: true, holdsEvents: false }]);
  t.same(store.reports[0]?.receives, []);
  t.ok(store.reports[0]?.events);
});

t.test('what never did anything tells nothing', async (t) => {
  const { store, publisher } = setUp();
  await publisher.publishNow();
  await publisher.close();
  t.same(store.reports, []);
});

t.test('who only waits tells so by itself, and a wait that begins anew is no news', async (t) => {
  const { store, recorder, publisher, waits } = setUp();
  t.teardown(() => publisher.close());
  recorder.wake();
  waits.add('mail');
  await until('it is told', () => store.reports.length > 0);
  t.match(store.reports, [{ receives: ['mail'], counts: [], holdsEvents: false }]);
  recorder.wake();
  await publisher.publishNow();
  t.equal(store.reports.length, 1);
  waits.add('other');
  await publisher.publishNow();
  t.match(store.reports[1], { receives: ['mail', 'other'] });
});

t.test('a store that is away does not keep from closing', async (t) => {
  const { store, recorder, publisher } = setUp();
  recorder.sent('mail', 0, 1, 5);
  store.isAway = true;
  await publisher.close();
  t.equal(store.reports.length, 1);
});

t.test('many channels are told in several reports, those after the first thousand as one', async (t) => {
  const { store, recorder, publisher } = setUp();
  t.teardown(() => publisher.close());
  for (let n = 0; n < 25_000; n++) recorder.sent(`channel${n}`, 0, n, 0);
  await publisher.publishNow();
  const told = new Map(store.reports.flatMap(({ counts }) => counts));
  t.equal(told.size, 1001);
  t.equal(told.get('channel999')?.sent, 1);
  t.equal(told.get('*')?.sent, 24_000);
  t.ok(store.reports.every(({ counts }) => counts.length <= 500));
  t.same(recorder.ring.of(0, 24_999), [{ event: 'sent', channel: 'channel24999', at: 0 }]);
});

t.test('after a day other channels are counted by their names', async (t) => {
  let now = 0;
  const recorder = new Recorder(() => now);
  for (let n = 0; n < 2000; n++) recorder.sent(`channel${n}`, 0, n, now);
  t.equal(recorder.takeCounts(5000).length, 1001);
  now += 86_400_000;
  recorder.sent('late', 0, 1, now);
  t.same(
    recorder.takeCounts(5000).map(([channel]) => channel),
    ['late'],
  );
  for (let n = 0; n < 2000; n++) recorder.sent(`other${n}`, 0, n, now);
  now += 86_400_000;
  for (let n = 0; n < 2000; n++) recorder.sent(`another${n}`, 0, n, now);
  t.ok(recorder.takeCounts(5000).length <= 1001, 'and what nobody takes does not pile up');
});
