import t from 'tap';
import { EventRing, readEvents } from '../../../channels/xray/ring.js';
import { traceEventNames } from '../../../channels/xray.js';

const [sent, received] = [traceEventNames.indexOf('sent'), traceEventNames.indexOf('received')];
const now = Date.UTC(2026, 10, 24);

t.test('events are told by the id of their message, in their order', async (t) => {
  const ring = new EventRing();
  const [mail, other] = [ring.enlist('mail'), ring.enlist('other')];
  ring.put(sent, mail, 1, 0xffff_ffff, now);
  ring.put(sent, other, 1, 2, now + 1);
  ring.put(received, mail, 1, 0xffff_ffff, now + 2);
  t.same(ring.of(1, 0xffff_ffff), [
    { event: 'sent', channel: 'mail', at: now },
    { event: 'received', channel: 'mail', at: now + 2 },
  ]);
  t.same(ring.of(1, 2), [{ event: 'sent', channel: 'other', at: now + 1 }]);
  t.same(ring.of(2, 1), []);
});

t.test('the last 8192 events are remembered, and what is written is read back', async (t) => {
  const ring = new EventRing();
  const mail = ring.enlist('mail');
  for (let n = 0; n < 10_000; n++) ring.put(sent, mail, 0, n, now + n);
  t.equal(ring.count, 10_000);
  t.equal(ring.oldest, 10_000 - 8192);
  t.same(ring.of(0, ring.oldest - 1), []);
  const written = ring.write(9000);
  for (const n of [9000, 9500, 9999]) {
    const events = [{ event: 'sent', channel: 'mail', at: now + n }];
    t.same(ring.of(0, n), events);
    t.same(readEvents(written, 0, n), events);
  }
  t.same(readEvents(written, 0, 8999), []);
  t.same(readEvents(ring.write(0), 0, ring.oldest), ring.of(0, ring.oldest));
});

t.test('a clock that is set back, or goes on for months, is no problem', async (t) => {
  const ring = new EventRing();
  const mail = ring.enlist('mail');
  ring.put(sent, mail, 0, 1, now);
  ring.put(received, mail, 0, 1, now - 3_600_000);
  t.same(
    ring.of(0, 1).map(({ at }) => at),
    [now, now - 3_600_000],
  );
  const monthsLater = now + 100 * 86_400_000;
  ring.put(sent, mail, 0, 2, monthsLater);
  t.same(ring.of(0, 2), [{ event: 'sent', channel: 'mail', at: monthsLater }]);
  t.same(ring.of(0, 1), []);
});

t.test('a ring that was cleared remembers what came after', async (t) => {
  const ring = new EventRing();
  ring.put(sent, ring.enlist('mail'), 0, 1, now);
  ring.clear();
  ring.put(sent, ring.enlist('other'), 0, 2, now);
  t.same(ring.of(0, 1), []);
  t.same(ring.of(0, 2), [{ event: 'sent', channel: 'other', at: now }]);
});

t.test('a clock that is set back by months begins anew', async (t) => {
  const ring = new EventRing();
  const channel = ring.enlist('mail');
  const now = Date.UTC(2026, 10, 24);
  ring.put(0, channel, 1, 1, now);
  ring.put(0, channel, 1, 2, now - 100 * 86_400_000);
  t.match(ring.of(1, 2), [{ at: now - 100 * 86_400_000 }]);
});
