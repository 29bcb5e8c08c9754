// How runs in threads and processes of their own end: real ones, of the built program. The worker's clock is moved by hand.

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { typescriptArg } from '../../../support/fork-typescript.js';
import { jobsByName, kinds, openRemote, rare, request, untilRecord } from '../../../support/remote.js';
import { until } from '../../../support/until.js';

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
              const apart = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: 'ignore' });
              apart.unref();
              ar.signal.addEventListener('abort', () => ar.info('heard with a child'));
              ar.info('started ' + child.pid + ' and ' + apart.pid); await forever();`,
          };
    const bench = await openRemote(t, kind, { ...bad, ...more });
    await request(bench, ...Object.keys({ ...bad, ...more }));
    for (const pattern of [/spinning/, /ignoring/, /waiting/]) await untilRecord(bench, pattern);
    const told = kind === 'thread' ? '' : await untilRecord(bench, /started \d+/);
    const [, ...forked] = /started (\d+) and (\d+)/.exec(told) ?? [];
    const hanging = kind === 'thread' ? 3 : 4;
    await until('the others have ended', () => bench.tasks.running.length === hanging);
    bench.clock.advance(7_200_000);
    await untilRecord(bench, /it is heard/);
    if (kind === 'process') await untilRecord(bench, /heard with a child/);
    await until('one obeys', () => bench.tasks.running.length === hanging - 1);
    bench.clock.advance(5000);
    await bench.tasks.settled();
    const jobs = await jobsByName(bench);
    const late = 'ended at its timeout of 2 h; ';
    t.match(jobs, {
      leave: {
        status: 'failed',
        cause: 'exit 3',
        message: `its ${kind} ended by itself with exit code 3\nthe last that it logged:\n    INFO about to leave`,
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
        message: `${late}its event loop stood still for 5 s, and its ${kind} was killed\nthe last that it logged:\n    INFO spinning`,
      },
      ignore: {
        status: 'timeout',
        cause: kind === 'process' ? 'SIGKILL' : 'terminated',
        message: /^ended at its timeout of 2 h; it did not react within 5 s, and its \w+ was killed\n/,
      },
      obey: {
        status: 'timeout',
        cause: null,
        message: `${late}it ended as it was asked to`,
      },
      ...(kind === 'process' && {
        crash: { status: 'failed', cause: 'SIGABRT', message: /^its process was ended by SIGABRT/ },
        fault: { status: 'failed', cause: 'SIGSEGV' },
        fork: { status: 'timeout', cause: 'SIGKILL' },
      }),
    });
    if (kind === 'process') t.equal(forked.length, 2);
    for (const pid of forked) await until('what it has started is gone', () => isGone(Number(pid)));
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
        message: new RegExp(`^its ${kind} wanted more memory than the 40 MiB that its rule allows`),
      });
      t.notMatch(job.message, /0x[0-9a-f]+ v8::/, 'where in Node that was tells nobody anything');
    }
  });

  t.test(`what a ${kind} takes to start does not count against the timeout of its run`, async (t) => {
    const bodies = { quick: `ar.info('quick')`, wait: `ar.info('waiting'); await forever();` };
    const bench = await openRemote(t, kind, bodies, { timeoutSeconds: 10 });
    await request(bench, 'quick', 'wait');
    bench.clock.advance(20_000);
    await untilRecord(bench, /waiting/);
    await until('the quick one has ended', () => bench.tasks.running.length === 1);
    bench.clock.advance(10_000);
    await until('the other one is killed', () => {
      bench.clock.advance(1000);
      return bench.tasks.running.length === 0;
    });
    t.match(await jobsByName(bench), {
      quick: { status: 'done' },
      wait: { status: 'timeout', message: /^ended at its timeout of 10 s; / },
    });
  });

  t.test(`a ${kind} that does not get the site loaded is ended`, async (t) => {
    const bench = await openRemote(t, kind, { wait: '' }, { timeoutSeconds: 10 });
    writeFileSync(
      join(bench.site.directory, 'procedures', 'slow.ts'),
      'await new Promise(() => setInterval(() => undefined, 1000));',
    );
    await request(bench, 'wait');
    bench.clock.advance(60_000);
    await until('it is killed', () => {
      bench.clock.advance(1000);
      return bench.tasks.running.length === 0;
    });
    t.match(await jobsByName(bench), {
      wait: { status: 'timeout', message: /^the site was not loaded within 1 min; / },
    });
  });

  t.test(`a ${kind} serves one run after the other, but for one in which something goes on`, async (t) => {
    const tell = `ar.info('in ' + (globalThis.mark ??= Math.random()));
      ar.info('given ' + process.argv.slice(2).length + ' arguments');`;
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
    t.match(bench.records.join('\n'), /: given 0 arguments$/m);
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

t.test('a run that is given no time to end is not said to have stood still', async (t) => {
  const bench = await openRemote(
    t,
    'process',
    { wait: `ar.info('waiting'); await forever();` },
    { graceSeconds: 0 },
  );
  await request(bench, 'wait');
  await untilRecord(bench, /waiting/);
  bench.clock.advance(7_200_000);
  await bench.tasks.settled();
  t.match(await jobsByName(bench), {
    wait: {
      status: 'timeout',
      cause: 'SIGKILL',
      message:
        'ended at its timeout of 2 h; it was given no time, and its process was killed\nthe last that it logged:\n    INFO waiting',
    },
  });
});

t.test(
  'a run whose process cannot be started for want of descriptors fails, and its worker goes on',
  async (t) => {
    const child = fileURLToPath(new URL('../../../support/without-descriptors.ts', import.meta.url));
    const { NODE_OPTIONS: _, ...env } = process.env;
    const command = `ulimit -n 100; exec "$0" ${typescriptArg} ${child}`;
    const { stdout, stderr } = await promisify(execFile)('sh', ['-c', command, process.execPath], { env });
    t.equal(stderr, '');
    t.match(JSON.parse(stdout), { how: 'error', error: { code: 'EMFILE' } });
  },
);
