import t from 'tap';
import { beatMs } from '../../../channels/waiting/beat.js';
import { Logger } from '../../../src/log/logger.js';
import { settleMs } from '../../../src/runs/run-stop.js';
import { TaskLoop } from '../../../src/scheduler/loop.js';
import { ManualClock } from '../../../src/testing/manual-clock.js';
import { turns, until } from '../../support/until.js';

/** Tasks that only count: each `run` says to come again after `nextMs`. */
function fakeTasks(clock: ManualClock) {
  const tasks = {
    runs: 0,
    nextMs: 1000,
    fails: false,
    busy: 0,
    aborted: null as string | null,
    finish: (): void => {},
    begun: 0,
    startPolling() {
      tasks.begun++;
    },
    attended: 0,
    async runPaused() {
      tasks.attended++;
      return new Date(clock.now() + 60_000);
    },
    async run() {
      tasks.runs++;
      if (tasks.fails) throw new Error('the database is away');
      return new Date(clock.now() + tasks.nextMs);
    },
    get running() {
      return Array.from({ length: tasks.busy }, () => ({}) as never);
    },
    async settled(signal?: AbortSignal) {
      await new Promise<void>((resolve) => {
        const end = () => {
          tasks.busy = 0;
          resolve();
        };
        tasks.finish = end;
        if (tasks.aborted !== null) end();
        signal?.addEventListener('abort', () => resolve());
      });
    },
    abortAll(why: string) {
      tasks.aborted = why;
      tasks.finish();
    },
  };
  return tasks;
}

function open() {
  const clock = new ManualClock();
  const tasks = fakeTasks(clock);
  const records: string[] = [];
  const sink = {
    write: (level: string, _name: string, message: string) => records.push(`${level} ${message}`),
  };
  const loop = new TaskLoop(tasks, clock, new Logger({ sink, name: 'tasks', level: 'DEBUG' }));
  return { clock, tasks, loop, records };
}

t.test('nothing runs before start, and starting twice starts once', async (t) => {
  const { tasks, loop, clock } = open();
  loop.wake();
  await turns();
  t.equal(tasks.runs, 0);
  loop.start();
  loop.start();
  await until('the tick is over', () => clock.pending === 1);
  t.equal(clock.pending, 1, 'one timer');
  t.equal(tasks.runs, 2, 'the second start was a wake-up');
});

t.test('the next tick comes when the tasks said', async (t) => {
  const { clock, tasks, loop } = open();
  loop.start();
  await until('a timer is set', () => clock.pending === 1);
  clock.advance(999);
  await turns();
  t.equal(tasks.runs, 1);
  clock.advance(1);
  await until('the second tick', () => tasks.runs === 2);
});

t.test(
  'however late the next due time is, the loop looks every 5 seconds, in case a wake-up is lost',
  async () => {
    const { clock, tasks, loop } = open();
    tasks.nextMs = 86_400_000;
    loop.start();
    await until('a timer is set', () => clock.pending === 1);
    clock.advance(5000);
    await until('the second tick', () => tasks.runs === 2);
  },
);

t.test('a clock that was set meanwhile has it look', async (t) => {
  for (const byMs of [-86_400_000, 3_600_000]) {
    const { clock, tasks, loop } = open();
    tasks.nextMs = 7_200_000;
    loop.start();
    await until('a timer is set', () => clock.pending === 1);
    clock.setTo(clock.now() + byMs);
    clock.advance(beatMs);
    await until('the second tick', () => tasks.runs === 2);
    t.equal(clock.pending, 1);
  }
});

t.test('a wake-up during a tick makes one more', async (t) => {
  const { clock, tasks, loop } = open();
  loop.start();
  for (let i = 0; i < 5; i++) loop.wake();
  await until('a timer is set', () => clock.pending === 1);
  t.equal(tasks.runs, 2);
});

t.test(
  'a database that is away is told once, tried with growing pauses, and told when it is back',
  async (t) => {
    const { clock, tasks, loop, records } = open();
    tasks.fails = true;
    loop.start();
    const pauses: number[] = [];
    for (let i = 0; i < 7; i++) {
      await until('a timer is set', () => clock.pending === 1);
      const before = clock.now();
      const runs = tasks.runs;
      while (tasks.runs === runs) clock.advance(50);
      pauses.push(clock.now() - before);
    }
    t.same(pauses, [250, 500, 1000, 2000, 4000, 5000, 5000]);
    t.equal(records.length, 1);
    tasks.fails = false;
    await until('a timer is set', () => clock.pending === 1);
    clock.advance(5000);
    await until('it is told', () => records.length === 2);
    t.same(records, [
      'ERROR polling the rules failed; trying again',
      'INFO polling the rules succeeds again',
    ]);
  },
);

t.test('a paused loop takes no work until it is resumed, but ends what is cancelled', async (t) => {
  const { clock, tasks, loop } = open();
  loop.start();
  await until('a timer is set', () => clock.pending === 1);
  loop.pause();
  clock.advance(60_000);
  loop.wake();
  await until('it looks at the cancellations', () => tasks.attended > 0);
  t.equal(tasks.runs, 1);
  loop.resume();
  await until('it goes on', () => tasks.runs === 2);
});

t.test(
  'stop waits for the runs, asks them to end shortly before the grace is over, and takes no more work',
  async (t) => {
    const { clock, tasks, loop } = open();
    loop.start();
    await until('a timer is set', () => clock.pending === 1);
    tasks.busy = 1;
    const stopped = loop.stop(25_000);
    loop.wake();
    await until('the grace runs', () => clock.pending === 1);
    clock.advance(25_000 - settleMs - 1);
    await turns();
    t.equal(tasks.aborted, null);
    clock.advance(1);
    await stopped;
    t.equal(tasks.aborted, 'interrupted by a restart');
    loop.wake();
    await turns();
    t.equal(tasks.runs, 1, 'a stopped loop takes no work');
  },
);

t.test('stop does not wait for the grace when the runs end before', async (t) => {
  const { clock, tasks, loop } = open();
  loop.start();
  await until('a timer is set', () => clock.pending === 1);
  tasks.busy = 1;
  const stopped = loop.stop(25_000);
  await until('it waits', () => clock.pending === 1);
  tasks.finish();
  await stopped;
  t.equal(tasks.aborted, null);
  t.equal(clock.pending, 0, 'no timer is left');
});

t.test('while there is always more to do, timers and messages have their turn', async (t) => {
  const { loop, tasks } = open();
  let runsAtFirstTurn = 0;
  const run = tasks.run.bind(tasks);
  // As on SQLite, where runs end, and wake the loop, before the event loop has turned.
  tasks.run = async () => {
    if (tasks.runs < 1000) queueMicrotask(() => loop.wake());
    return await run();
  };
  loop.start();
  setImmediate(() => {
    runsAtFirstTurn = tasks.runs;
  });
  await until('all of it is done', () => tasks.runs > 1000);
  t.ok(runsAtFirstTurn > 0 && runsAtFirstTurn < 100, `after ${runsAtFirstTurn} runs`);
});
