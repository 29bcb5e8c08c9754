// Liveness, readiness and start-up, and what hangs.

import t from 'tap';
import { type HealthFacts, readinessChecks, startupChecks, whatHangs } from '../../../src/health/checks.js';
import { Probe } from '../../../src/health/probe.js';

const listener = {
  channel: 'linod_shop',
  state: 'waiting',
  heardMsAgo: 3,
  dueMs: 7500,
  lastError: null,
  dropped: 0,
} as const;
const well: HealthFacts = {
  phase: 'running',
  database: null,
  layer: null,
  heartbeatFails: false,
  listeners: [listener],
};

function problems(facts: Partial<HealthFacts>): string[] {
  const checks = readinessChecks({ ...well, ...facts });
  return checks.flatMap(({ name, problem }) => (problem === null ? [] : [`${name}: ${problem}`]));
}

t.test('a process that can consume and write is ready', async (t) => t.same(problems({}), []));

t.test('it is not ready with a store that is away, or a listener that hears nothing', async (t) => {
  t.same(problems({ database: 'it is away' }), ['database: it is away']);
  t.same(problems({ layer: 'no answer' }), ['layer: no answer']);
  t.same(problems({ heartbeatFails: true }), ['heartbeat: the last heartbeat could not be written']);
  t.same(problems({ listeners: [{ ...listener, state: 'deaf' }] }), ['listener linod_shop: deaf']);
  const restarting = { ...listener, state: 'restarting', lastError: 'no such thing' } as const;
  t.same(problems({ listeners: [restarting] }), ['listener linod_shop: no such thing']);
  t.same(problems({ listeners: [{ ...listener, state: 'busy' }] }), [], 'a busy one hears');
});

t.test('it is ready neither before it has started nor once it stops', async (t) => {
  t.same(problems({ phase: 'starting' }), ['running: the process is starting']);
  t.same(problems({ phase: 'stopping' }), ['running: the process is stopping']);
  t.not(startupChecks({ ...well, phase: 'starting' })[0]?.problem, null);
  t.equal(startupChecks({ ...well, phase: 'stopping' })[0]?.problem, null);
});

t.test('no channel of one process names its random part', async (t) => {
  const own = { ...listener, channel: 'linod.4711!abc', state: 'deaf' } as const;
  t.same(problems({ listeners: [own] }), ['listener of this process: deaf']);
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
