// Runs in threads and processes of their own: real ones, of the built program. The worker's clock is moved by hand.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Policies } from '../../../src/policies.js';
import type { Job } from '../../../src/tasks/job.js';
import { type Bench, openBench } from '../../support/site.js';
import { until } from '../../support/until.js';

// Tap's hooks would be loaded into each process.
delete process.env.NODE_OPTIONS;

const kinds = ['thread', 'process'] as const;
type Kind = (typeof kinds)[number];

const rare = { every: 1, everyUnit: 'yearly', onFailure: 'continue', timeoutSeconds: 7200 } as const;

/** Writes the site's procedures and makes their rules. What the worker has under these names is never called. */
async function openRemote(
  t: Test,
  runIn: Kind,
  procedures: Record<string, string>,
  policies: Partial<Policies> = {},
): Promise<Bench> {
  const bench = await openBench(t, { maxJobs: 20 });
  await bench.join();
  writeProcedures(bench, procedures);
  for (const name of Object.keys(procedures))
    bench.add(name, () => undefined, { ...rare, runIn, ...policies });
  await bench.tasks.setup();
  return bench;
}

function writeProcedures({ site }: Bench, procedures: Record<string, string>): void {
  mkdirSync(join(site.directory, 'procedures'), { recursive: true });
  const calls = Object.entries(procedures).map(
    ([name, body]) =>
      `scheduleOften({ name: '${name}', every: 3600 }, async (ar: BaseRequest) => {\n${body}\n});`,
  );
  const imports = `import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type BaseRequest, scheduleOften } from 'linod';
const forever = () => new Promise(() => setInterval(() => undefined, 1000));
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
`;
  writeFileSync(join(site.directory, 'procedures', 'all.ts'), imports + calls.join('\n'));
}

async function request(bench: Bench, ...names: string[]): Promise<void> {
  for (const rule of await bench.rules.list())
    if (names.includes(rule.procedure)) await bench.requests.add(rule.id, 'run', 'robin', { args: { n: 1 } });
  await bench.tasks.run();
}

async function jobsByName(bench: Bench): Promise<Record<string, Job>> {
  const jobs = await bench.jobs.list({ limit: 100 });
  return Object.fromEntries(jobs.map((job) => [job.procedure, job]));
}

async function untilRecord(bench: Bench, pattern: RegExp): Promise<string> {
  await until(`a record has ${pattern}`, () => bench.records.some((record) => pattern.test(record)));
  return bench.records.find((record) => pattern.test(record)) ?? '';
}

/** Whether a process lives, as far as it is no zombie. */
function isGone(pid: number): boolean {
  try {
    return !process.kill(pid, 0);
  } catch {
    return true;
  }
}

const bad = {
  leave: `ar.info('about to leave'); process.exit(3);`,
  stumble: `throw new Error('fallen');`,
  timer: `setTimeout(() => { throw new Error('in a timer'); }); await forever();`,
  forget: `void Promise.reject(new Error('forgotten')); await forever();`,
  spin: `ar.info('spinning'); for (;;);`,
  ignore: `process.on('SIGTERM', () => undefined);
    ar.signal.addEventListener('abort', () => ar.info('it is heard'));
    ar.info('ignoring');
    await forever();`,
  obey: `ar.info('waiting'); await new Promise((_, reject) => ar.signal.addEventListener('abort', () => reject(ar.signal.reason)));`,
} as const;

for (const kind of kinds) {
  t.test(`whatever a run in a ${kind} does, it ends alone, and its job says which it was`, async (t) => {
    const more: Record<string, string> =
      kind === 'thread'
        ? {}
        : {
            crash: `process.abort();`,
            fault: `process.kill(process.pid, 'SIGSEGV'); await forever();`,
            fork: `const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
              ar.info('started ' + child.pid); await forever();`,
          };
    const bench = await openRemote(t, kind, { ...bad, ...more });
    await request(bench, ...Object.keys({ ...bad, ...more }));
    for (const pattern of [/spinning/, /ignoring/, /waiting/]) await untilRecord(bench, pattern);
    const forked =
      kind === 'thread' ? 0 : Number(/started (\d+)/.exec(await untilRecord(bench, /started/))?.[1]);
    const hanging = kind === 'thread' ? 3 : 4;
    await until('the others have ended', () => bench.tasks.running.length === hanging);
    bench.clock.advance(7_200_000);
    await untilRecord(bench, /it is heard/);
    await until('one obeys', () => bench.tasks.running.length === hanging - 1);
    bench.clock.advance(5000);
    await bench.tasks.settled();
    const jobs = await jobsByName(bench);
    const late = 'ended at its time-out of 2 h; ';
    t.match(jobs, {
      leave: {
        status: 'failed',
        cause: 'exit 3',
        message: `its ${kind} ended by itself with exit code 3; the last that it logged:\n    INFO about to leave`,
      },
      stumble: { status: 'failed', cause: 'threw', message: /^Error: fallen\n {4}at .*all\.ts:\d+:\d+/ },
      timer: {
        status: 'failed',
        cause: 'uncaught error',
        message: /^an error that nobody caught ended its \w+: Error: in a timer\n {4}at .*all\.ts:\d+/,
      },
      forget: { status: 'failed', cause: 'unhandled rejection', message: /Error: forgotten/ },
      spin: {
        status: 'timeout',
        cause: 'blocked: its event loop stood still',
        message: `${late}its event loop stood still for 5 s, and its ${kind} was killed; the last that it logged:\n    INFO spinning`,
      },
      ignore: {
        status: 'timeout',
        cause: kind === 'process' ? 'SIGKILL' : 'terminated',
        message: /^ended at its time-out of 2 h; it did not react within 5 s, and its \w+ was killed;/,
      },
      obey: {
        status: 'timeout',
        cause: null,
        message: `${late}it ended with: RunAbortedError: ended at its time-out of 2 h`,
      },
      ...(kind === 'process' && {
        crash: { status: 'failed', cause: 'SIGABRT', message: /^its process was ended by SIGABRT/ },
        fault: { status: 'failed', cause: 'SIGSEGV' },
        fork: { status: 'timeout', cause: 'SIGKILL' },
      }),
    });
    if (kind === 'process') await until('what it has started is gone', () => isGone(forked));
    await request(bench, 'stumble');
    await bench.tasks.settled();
    t.match(
      await bench.jobs.list({ limit: 1 }),
      [{ status: 'failed', cause: 'threw' }],
      'the worker goes on',
    );
  });

  t.test(`a run in a ${kind} that takes more memory than it may is ended, and says so`, async (t) => {
    const heap = `const all: unknown[] = []; ar.info('eating'); for (;;) all.push(new Array(1000).fill(all.length));`;
    const buffers = `const all: unknown[] = []; for (;;) { all.push(Buffer.alloc(10_000_000, 1)); await turn(); }`;
    const bodies = kind === 'thread' ? { heap } : { heap, buffers };
    const bench = await openRemote(t, kind, bodies, { memoryMb: 40 });
    await request(bench, ...Object.keys(bodies));
    await bench.tasks.settled();
    const jobs = Object.values(await jobsByName(bench));
    t.equal(jobs.length, Object.keys(bodies).length);
    for (const job of jobs) {
      t.match(job, {
        status: 'failed',
        cause: 'out of memory',
        message: new RegExp(`^its ${kind} wanted more memory than the 40 MB that its rule allows`),
      });
    }
  });

  t.test(`in a ${kind} a run is handed the same as on the worker's own event loop`, async (t) => {
    const bench = await openRemote(
      t,
      kind,
      {
        work: `ar.info('attempt', { attempt: ar.attempt, args: ar.args, last: ar.lastCheckpoint, user: ar.user, job: ar.jobId });
          ar.logger.child('deeper').error('a stack follows', new Error('not thrown'));
          console.log('printed');
          console.error('complained');
          ar.progress(ar.attempt, 2, 'attempts');
          await ar.checkpoint({ attempt: ar.attempt });
          if (ar.attempt < 2) throw new Error('not yet');
          await ar.transaction(async (tx) => { await ar.checkpoint('in a transaction', tx); });
          await ar.requestRun('rest', { from: ar.jobId });
          const rules = await ar.db.selectFrom('job_rules').select('name').execute();
          ar.info(ar.site.name + ' has ' + rules.length + ' rules, at ' + (ar.now() instanceof Date));`,
        rest: `ar.info('resting', { args: ar.args, user: ar.user });`,
      },
      { onFailure: 'retry', retryDelaySeconds: 0 },
    );
    await request(bench, 'work');
    await until('all has run', async () => {
      await bench.tasks.run();
      return bench.records.some((record) => /resting/.test(record));
    });
    await bench.tasks.settled();
    const [first, second, rest] = (await bench.jobs.list()).reverse();
    t.match(first, {
      attempt: 1,
      status: 'failed',
      checkpoint: { attempt: 1 },
      progress: { done: 1, total: 2 },
    });
    t.match(second, { attempt: 2, status: 'done', checkpoint: 'in a transaction', runIn: kind });
    t.match(rest, { procedure: 'rest', status: 'done', args: { from: second?.id } });
    const lines = await bench.jobs.lines(2);
    t.match(lines.map(({ level, text }) => `${level} ${text.split('\n', 1)[0]}`).sort(), [
      'ERROR a stack follows',
      'INFO attempt {"attempt":2,"args":{"n":1},"last":{"attempt":1},"user":"job 1, which failed","job":2}',
      'INFO printed',
      'INFO test has 2 rules, at true',
      'WARNING complained',
    ]);
    t.match(lines.find(({ level }) => level === 'ERROR')?.text, /Error: not thrown\n {4}at .*all\.ts/);
    t.ok(bench.records.includes('ERROR procedures.work.deeper: a stack follows'));
    if (process.platform !== 'linux') return;
    t.type(second?.cpuMs, 'number');
    t.type(second?.memoryBytes, kind === 'process' ? 'number' : 'null');
  });

  t.test(`a ${kind} serves one run after the other, but for one in which something goes on`, async (t) => {
    const tell = `ar.info('in ' + (globalThis.mark ??= Math.random()));`;
    const bench = await openRemote(t, kind, { tell, litter: `${tell} setInterval(() => undefined, 1000);` });
    for (const name of ['tell', 'tell', 'litter', 'tell']) {
      await request(bench, name);
      await bench.tasks.settled();
    }
    const marks = bench.records
      .filter((record) => /: in 0/.test(record))
      .map((record) => record.split(' in ')[1]);
    t.equal(marks.length, 4);
    t.equal(marks[1], marks[0]);
    t.equal(marks[2], marks[0]);
    t.not(marks[3], marks[2], 'what the one before left behind was ended');
  });

  t.test(
    `a procedure that no file of the site registers, or a file with a fault, fails the run in a ${kind}`,
    async (t) => {
      const bench = await openRemote(t, kind, { here: '' });
      bench.add('elsewhere', () => undefined, { ...rare, runIn: kind });
      await bench.tasks.setup();
      await request(bench, 'elsewhere');
      await bench.tasks.settled();
      const missing = await jobsByName(bench);
      t.match(missing.elsewhere, {
        status: 'failed',
        message: /no procedure elsewhere: the files of site test/,
      });

      const faulty = await openRemote(t, kind, { broken: 'a closing bracket too much: }' });
      await request(faulty, 'broken');
      await faulty.tasks.settled();
      const { broken } = await jobsByName(faulty);
      t.match(broken, {
        status: 'failed',
        cause: 'cannot start',
        message: /^its \w+ could not load the procedures of the site: BadConfigError: procedures\/all\.ts/,
      });
    },
  );
}

t.test('a run in a process that was given up while its worker was away writes nothing more', async (t) => {
  const bench = await openRemote(t, 'process', {
    paused: `ar.info('pausing');
      while (!existsSync(ar.site.directory + '/go')) await turn();
      for (const attempt of [
        () => ar.transaction(async (tx) => { await tx.deleteFrom('decisions').execute(); }),
        () => ar.checkpoint('mine'),
        () => ar.requestRun('paused'),
      ]) await attempt().catch((error) => ar.info('refused: ' + error.code));`,
  });
  await request(bench, 'paused');
  await untilRecord(bench, /pausing/);
  await bench.store.db.updateTable('workers').set({ stopped_at: 1, stop_reason: 'it was silent' }).execute();
  t.match(await bench.ends.giveUpLost(), [{ procedure: 'paused' }]);
  writeFileSync(join(bench.site.directory, 'go'), '');
  await bench.tasks.settled();
  t.equal(bench.records.filter((record) => record.endsWith('refused: LINOD_ERR_RUN_LOST')).length, 3);
  t.match(await jobsByName(bench), { paused: { status: 'lost', checkpoint: null } });
  t.ok((await bench.store.db.selectFrom('decisions').selectAll().execute()).length > 0);
});
