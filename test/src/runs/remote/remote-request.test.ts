// What a run is handed and may write in a thread or process of its own.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { jobsByName, kinds, openRemote, request, untilRecord } from '../../../support/remote.js';
import { until } from '../../../support/until.js';

const mib = 1024 ** 2;

for (const kind of kinds) {
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
          ar.info(ar.site.name + ' has ' + rules.length + ' rules, at ' + ar.now().toISOString().slice(0, 13));`,
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
    const asked = await bench.store.db
      .selectFrom('job_requests')
      .select('requested_at')
      .where('id', '=', rest?.requestId ?? 0)
      .executeTakeFirstOrThrow();
    t.match(new Date(asked.requested_at).toISOString(), /^2026-11-24T12/, "by the worker's clock");
    const lines = await bench.jobs.lines(2);
    t.match(lines.map(({ level, text }) => `${level} ${text.split('\n', 1)[0]}`).sort(), [
      'ERROR a stack follows',
      'INFO attempt {"attempt":2,"args":{"n":1},"last":{"attempt":1},"user":"job 1, which failed","job":2}',
      'INFO printed',
      'INFO test has 2 rules, at 2026-11-24T12',
      'WARNING complained',
    ]);
    t.match(lines.find(({ level }) => level === 'ERROR')?.text, /Error: not thrown\n {4}at .*all\.ts/);
    t.ok(bench.records.includes('ERROR procedures.work.deeper: a stack follows'));
    if (process.platform === 'linux') t.type(second?.cpuMs, 'number');
  });

  t.test(
    `of a run in a ${kind} the most memory is kept, though it was given back before the end`,
    async (t) => {
      const bench = await openRemote(t, kind, {
        small: 'ar.info("nothing kept");',
        large: `let kept: unknown[] = [Buffer.alloc(${128 * mib}, 1)];
        for (let i = 0; i < 500_000; i++) kept.push({ i });
        for (const until = Date.now() + 600; Date.now() < until; ) await turn();
        kept = [];`,
      });
      await request(bench, 'small', 'large');
      await bench.tasks.settled();
      const { small, large } = await jobsByName(bench);
      const [few, most] = [small?.memoryBytes ?? 0, large?.memoryBytes ?? 0];
      t.ok(few > mib && few < 200 * mib, `${few} bytes`);
      // Half of it is room for what the small run had and the large one has not, such as garbage.
      t.ok(most > few + 64 * mib && most < few + 320 * mib, `${most} bytes, beside ${few}`);
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
