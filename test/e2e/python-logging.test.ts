// examples/python/linod_handler.py in a real Django process: its records arrive over channels_redis.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { LiveSite } from '../support/live-site.js';
import { eventually } from '../support/programs.js';
import { RedisServer } from '../support/redis.js';

const project = fileURLToPath(new URL('../interop/django/', import.meta.url));

t.test('a Django process logs to lino.log, in order, also what it logs while Redis is away', async (t) => {
  const server = await RedisServer.start(t);
  const site = new LiveSite(t, { channelLayer: server.url });
  const worker = await site.startWorker('--initiate');
  const count = 300;
  const django = spawn('/usr/bin/python3', ['-B', 'log_records.py', String(count)], {
    cwd: project,
    env: { PATH: process.env.PATH, REDIS_URL: server.url, CHANNELS_PREFIX: 'asgi', LINOD_SITE: 'test' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => django.kill('SIGKILL'));
  const answers: string[] = [];
  createInterface(django.stdout).on('line', (line) => answers.push(line));
  const texts = async () => (await site.currentRecords()).map(({ text }) => text);
  const numbers = async () =>
    (await texts()).flatMap((text) => /^record (\d+) /.exec(text)?.[1] ?? []).map(Number);
  await eventually('all records are there', async () => (await numbers()).length >= count);
  t.same(
    await numbers(),
    Array.from({ length: count }, (_, i) => i + 1),
  );

  await server.stop();
  const before = answers.length;
  django.stdin.write('first\nsecond\n');
  await eventually('Django goes on', () => answers.length === before + 2);
  await server.restart();
  await eventually('what was told meanwhile is there', async () =>
    (await texts()).some((text) => text.startsWith('told second')),
  );
  t.same(
    (await texts()).flatMap((text) => /^told (\w+)/.exec(text)?.[1] ?? []),
    ['first', 'second'],
  );

  django.stdin.end();
  const [code] = await once(django, 'exit');
  t.equal(code, 0, 'it ends by itself');
  const { text } = await site.logged(/^could not pay/);
  t.match(
    text,
    /^could not pay \{.*"order":17,.*"tags":\["a",\{"b":2\}\].*"process":"MainProcess \d+"\}\nTraceback[\s\S]*\nZeroDivisionError/,
  );
  worker.kill('SIGTERM');
  await worker.ended();
});
