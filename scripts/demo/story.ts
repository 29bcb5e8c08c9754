// The demo's story: a site is made, its worker started, killed and started again, and nothing is lost.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { say, styled } from '../../src/commands/views/output.js';
import { Child, program } from './child.js';
import { countRecords } from './count-records.js';

/** Records that each application process sends. */
const recordsEach = 1500;
const applications = ['web', 'api', 'import'];

const procedures = `import { type BaseRequest, scheduleOften } from 'linod';

scheduleOften({ every: 2 }, async function water_plants(ar: BaseRequest) {
  ar.info('the plants have been watered');
});

scheduleOften({ every: 3, onFailure: 'continue' }, async function count_visitors(ar: BaseRequest) {
  for (let done = 1; done <= 5; done++) {
    ar.progress(done, 5);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  ar.info('the visitors have been counted', { visitors: Math.floor(Math.random() * 1000) });
});

scheduleOften({ every: 4 }, async function feed_dragon(ar: BaseRequest) {
  ar.info('looking for the dragon');
  throw new Error('there is no dragon');
});
`;

let steps = 0;

await main();

async function main(): Promise<void> {
  const redis = parseRedis();
  const parent = await mkdtemp(join(tmpdir(), 'linod-demo-'));
  const site = join(parent, 'demo');
  // What the machine has set for other sites must not move this one.
  const { DATABASE_URL: _database, REDIS_URL: _redis, ...inherited } = process.env;
  const clean = { ...inherited, LINOD_SITE: site, ...(redis === undefined ? {} : { REDIS_URL: redis }) };
  const children: Child[] = [];
  const start = (script: string, ...args: string[]) => {
    const child = new Child(program(script), args, clean);
    children.push(child);
    return child;
  };
  try {
    const complete = await runStory(site, start);
    process.exitCode = complete ? 0 : 1;
    if (complete) await rm(parent, { recursive: true, force: true });
    else say(`the site is left for you to look at: ${site}`);
  } catch (error) {
    process.exitCode = 1;
    say(`the demo stopped: ${error instanceof Error ? error.message : String(error)}`);
    say(`the site is left for you to look at: ${site}`);
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

type Start = (script: string, ...args: string[]) => Child;

async function runStory(site: string, start: Start): Promise<boolean> {
  step('A new site', `linod init makes a directory with a configuration and an example procedure: ${site}`);
  await finish(start('linod', 'init', site));
  await writeFile(join(site, 'procedures', 'garden.ts'), procedures);
  say(
    'Three procedures of our own are added: one every 2 s, one every 3 s, and one every 4 s that always fails.',
  );

  step(
    'Terminal 1: runworker linod_demo',
    'The worker listens on the channel of the site. It waits for orders.',
  );
  let worker = start('runworker', 'linod_demo');
  worker.show(styled('cyan', '  worker │ '));
  await worker.printed(/listening/);

  step('Terminal 2: initiate_linod', 'Sends the start messages. The worker that took them answers.');
  await finish(start('initiate_linod'));

  step(
    `Terminals 3 to 5: three applications`,
    `Each logs ${recordsEach} records. They write no file: the worker's logger coroutine does, log/lino.log.`,
  );
  const apps = applications.map((name) => start('demo/application', site, name, String(recordsEach)));
  const tail = start('linod', 'log', 'tail', '-f');
  tail.show(styled('gray', 'lino.log │ '), 12);
  await setTimeout(2500);

  step(
    'The worker is killed with SIGKILL',
    'In the middle of it all. The applications go on and keep their records.',
  );
  worker.kill('SIGKILL');
  await worker.ended();
  await setTimeout(2000);
  // 3: no worker is running.
  await finish(start('linod', 'status'), 3);

  step(
    'The worker is started again',
    'No new initiate_linod: the order is in the database. Kept records come in.',
  );
  worker = start('runworker', 'linod_demo');
  worker.show(styled('cyan', '  worker │ '));
  await worker.printed(/listening/);
  tail.show(styled('gray', 'lino.log │ '), 12);
  await Promise.all(apps.map((app) => app.succeeded()));
  await setTimeout(2500);
  tail.kill('SIGTERM');

  step('linod', 'The status of all tasks: our three, and the eight that ship. The one that failed says why.');
  await finish(start('linod'));

  step('linod jobs', 'Every run has a row; what ran on the killed worker, if anything did, is marked lost.');
  await finish(start('linod', 'jobs', '--limit', '10'));

  step('The worker is stopped with SIGTERM', 'It finishes what it has in hand, and ends with 0.');
  worker.kill('SIGTERM');
  const code = await worker.ended();
  say(`exit code ${code}`);

  step('Is every record there, once?', `${applications.length} × ${recordsEach} were sent.`);
  const log = await readFile(join(site, 'log', 'lino.log'), 'utf8');
  const counts = countRecords(log, applications, recordsEach);
  for (const { name, found, missing, doubled, disordered } of counts) {
    say(
      `${name.padEnd(8)} ${found} found, ${missing} missing, ${doubled} doubled, ${disordered} out of order`,
    );
  }
  const complete =
    code === 0 &&
    counts.every(
      (count) => count.found === recordsEach && count.missing + count.doubled + count.disordered === 0,
    );
  say(
    complete
      ? styled('green', 'Yes: every record is in lino.log exactly once, in order.', process.stderr)
      : styled('red', 'No.', process.stderr),
  );
  return complete;
}

function step(title: string, text: string): void {
  steps++;
  say(`\n${styled('bold', `${steps}. ${title}`, process.stderr)}\n   ${text}\n`);
}

async function finish(child: Child, code = 0): Promise<void> {
  child.show('  ');
  await child.succeeded(code);
}

function parseRedis(): string | undefined {
  try {
    return parseArgs({ options: { redis: { type: 'string' } } }).values.redis;
  } catch (error) {
    say(
      `demo: ${error instanceof Error ? error.message : String(error)}; usage: npm run demo [-- --redis redis://HOST:PORT]`,
    );
    process.exit(2);
  }
}
