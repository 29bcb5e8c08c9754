// Liveness, readiness and start-up, and what hangs.

import t from 'tap';
import { type CheckedParts, partChecks, whatHangs } from '../../../src/health/checks.js';
import { Probe } from '../../../src/health/probe.js';

const counts = { received: 0, handled: 0, failed: 0, dropped: 0, returned: 0, lost: 0, prefetched: 0 };
const listener = { channel: 'linod_shop', state: 'waiting', ...counts } as const;
const answers = (problem: string | null) => ({ check: async () => problem });
const well: CheckedParts = {
  databaseProbe: answers(null),
  layerProbe: answers(null),
  heartbeatFails: () => false,
  channels: () => [listener],
};

async function problems(parts: Partial<CheckedParts>): Promise<string[]> {
  const checks = await partChecks({ ...well, ...parts });
  return checks.flatMap(({ name, problem }) => (problem === null ? [] : [`${name}: ${problem}`]));
}

t.test('a process that can consume and write is ready', async (t) => t.same(await problems({}), []));

t.test('it is not ready with a store that is away, or a listener that hears nothing', async (t) => {
  t.same(await problems({ databaseProbe: answers('it is away') }), ['database: it is away']);
  t.same(await problems({ layerProbe: answers('no answer') }), ['layer: no answer']);
  const failed = await problems({ heartbeatFails: () => true });
  t.same(failed, ['heartbeat: the last heartbeat could not be written']);
  const listening = (more: object) => problems({ channels: () => [{ ...listener, ...more }] });
  t.same(await listening({ state: 'deaf' }), ['listener linod_shop: deaf']);
  const lastError = { error: new Error('no such thing'), at: 1 };
  t.same(await listening({ state: 'restarting', lastError }), ['listener linod_shop: no such thing']);
  t.same(await listening({ state: 'busy' }), [], 'a busy one hears');
  // A channel of one process does not show its random part.
  t.same(await listening({ channel: 'linod.4711!abc', state: 'deaf' }), ['listener of this process: deaf']);
});

t.test('a store that fails is waited for; a call that neither fails nor succeeds hangs', async (t) => {
  const none = { databasePendingMs: 0, layerPendingMs: 0, deafMs: 0, watchdogMs: 30_000 };
  t.equal(whatHangs(none), null);
  t.equal(whatHangs({ ...none, databasePendingMs: 50_000 }), null, 'the driver may still give it up');
  t.match(whatHangs({ ...none, databasePendingMs: 61_000 }), /database hangs/);
  t.match(whatHangs({ ...none, layerPendingMs: 61_000 }), /channel layer hangs/);
  t.match(whatHangs({ ...none, deafMs: 61_000 }), /deaf although/);
});

t.test('a store gets one question at a time, and a failed one does not count as pending', async (t) => {
  let asked = 0;
  const gates: Array<{ resolve: () => void; reject: (error: Error) => void }> = [];
  const ask = () => {
    asked++;
    return new Promise<void>((resolve, reject) => gates.push({ resolve, reject }));
  };
  const probe = new Probe(ask, 20);
  t.match(await Promise.all([probe.check(), probe.check()]), [/no answer within 20 ms/, /no answer/]);
  t.equal(asked, 1);
  t.ok(probe.pendingMs > 0);
  const later = probe.check();
  gates[0]?.reject(new Error('it is away'));
  t.equal(await later, 'it is away');
  t.equal(probe.pendingMs, 0);
  t.equal(await probe.check(), 'it is away', 'an answer counts for a moment');
  t.equal(asked, 1);
});
