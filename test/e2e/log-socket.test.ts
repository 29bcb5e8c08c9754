// The site's socket: lines of any program, and the frames of Python's own SocketHandler.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { LiveSite } from '../support/live-site.js';
import { eventually } from '../support/programs.js';

const python = '/usr/bin/python3';

/** A Python process with logging's own SocketHandler on the socket, that logs so many records. */
async function pythonLogs(t: Test, path: string, count: number): Promise<number> {
  const program = `
import functools, logging, logging.handlers, sys
handler = logging.handlers.SocketHandler(sys.argv[1], None)
# Of itself it drops a record that was not taken within a second, as by a process of a busy machine.
handler.makeSocket = functools.partial(handler.makeSocket, timeout=60)
logger = logging.getLogger('shop')
logger.addHandler(handler)
for i in range(int(sys.argv[2])):
    logger.warning('record %d', i + 1)
handler.close()
`;
  const child = spawn(python, ['-c', program, path, String(count)], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [code] = await once(child, 'exit');
  t.equal(code, 0);
  return child.pid ?? 0;
}

/** Says something on the socket and closes; @returns what was answered */
async function say(path: string, ...pieces: ReadonlyArray<string | Uint8Array>): Promise<string> {
  const client = connect(path);
  let answer = '';
  client.on('data', (data) => {
    answer += String(data);
  });
  await once(client, 'connect');
  for (const piece of pieces) client.write(piece);
  client.end();
  await once(client, 'close');
  return answer;
}

t.test('several Python processes log by SocketHandler; each record is there once and in order', async (t) => {
  const site = new LiveSite(t);
  const worker = await site.startWorker('--initiate');
  const path = site.path('linod.sock');
  t.equal(statSync(path).mode & 0o777, 0o600);
  const count = 1000;
  const pids = await Promise.all([1, 2, 3, 4].map(() => pythonLogs(t, path, count)));
  const numbers = async (pid: number) =>
    (await site.currentRecords()).flatMap(({ text }) => {
      const found = new RegExp(`^record (\\d+) .*MainProcess ${pid}"`).exec(text);
      return found === null ? [] : [Number(found[1])];
    });
  for (const pid of pids) {
    await eventually(`all of ${pid} are there`, async () => (await numbers(pid)).includes(count));
    t.same(
      await numbers(pid),
      Array.from({ length: count }, (_, i) => i + 1),
    );
  }
  worker.kill('SIGTERM');
  t.match(await worker.ended(), { code: 0 });
});

t.test('lines of text and JSON arrive, what cannot be read is told, and nobody else is harmed', async (t) => {
  const site = new LiveSite(t, { logLevels: { noisy: 'ERROR' } });
  const worker = await site.startWorker();
  const path = site.path('linod.sock');
  t.match(
    await say(
      path,
      'a line\nERROR: it failed\n  at line 3\n',
      '{"name":"shop.orders","level":"warning","message":"paid","order":17,"fields":{"by":"card"}}\n',
      '{"name":"noisy.part","level":"warning","message":"below its level"}\n',
      'DEBUG below the level of the site\n',
      '{"this is": no JSON\nbad \xff\n'.replace('\xff', ''),
      Buffer.from([0xff, 0x0a]),
      '{"flush":true}\n',
    ),
    /^\{"flushed":true\}\n$/,
    'although nobody writes the log yet',
  );
  const frame = (text: string) => {
    const body = Buffer.from(text, 'latin1');
    const head = Buffer.alloc(4);
    head.writeUInt32BE(body.length);
    return Buffer.concat([head, body]);
  };
  await say(
    path,
    frame("cos\nsystem\n(S'x'\ntR."),
    frame('}q\x00(X\x03\x00\x00\x00msgX\x05\x00\x00\x00afteru.'),
  );
  await say(path, Buffer.from([0, 0, 9, 9, 1, 2, 3]));
  const half = connect(path);
  half.write(Buffer.from([0, 0, 0, 99, 1]));
  t.teardown(() => half.destroy());
  t.match(await site.initiate(), { code: 0 });
  const wanted: RegExp[] = [
    /^a line$/,
    /^ERROR: it failed\n {2}at line 3$/,
    /^paid \{"by":"card","order":17\}$/,
    /^\{"this is": no JSON$/,
    /^\\xff$/,
    /^after$/,
    /^on the log socket: only plain data is read, and this pickle wants GLOBAL os system \{"problems":1\}$/,
  ];
  for (const pattern of wanted) t.ok(await site.logged(pattern), String(pattern));
  const lines = (await site.linod('log', 'tail', '--json', '-n', '100')).trim().split('\n');
  const records = lines.map((line): Record<string, string> => JSON.parse(line));
  t.match(
    records.find(({ message }) => message?.startsWith('ERROR: it failed')),
    { level: 'ERROR', logger: 'socket' },
  );
  t.notOk(records.some(({ message }) => message?.includes('below')));
  t.match(
    records.find(({ message }) => message?.startsWith('paid')),
    { level: 'WARNING', logger: 'shop.orders' },
  );
  worker.kill('SIGTERM');
  t.match(await worker.ended(), { code: 0 }, 'a client that has not finished keeps no worker');
});

t.test('when the worker with the socket is killed, another has it', async (t) => {
  const site = new LiveSite(t);
  const first = await site.startWorker('--initiate');
  await say(site.path('linod.sock'), 'to the first\n');
  const second = await site.startWorker();
  await site.logged(/^to the first$/);
  first.kill('SIGKILL');
  await first.ended();
  await eventually('another takes the line', async () => {
    const answer = await say(site.path('linod.sock'), 'to the second\n{"flush":true}\n').catch(() => '');
    return answer.includes('true');
  });
  await site.logged(/^to the second$/);
  second.kill('SIGTERM');
  await second.ended();
});

t.test('a socket that cannot be is told, and the worker goes on', async (t) => {
  const site = new LiveSite(t, { logSocket: `${'long/'.repeat(30)}linod.sock` });
  const worker = await site.startWorker('--initiate');
  await worker.printed(
    /no log socket at \S+: its path has \d+ bytes, and a socket's may have \d+; set logSocket to a shorter one/,
  );
  worker.kill('SIGTERM');
  t.match(await worker.ended(), { code: 0 });
  const other = new LiveSite(t);
  writeFileSync(other.path('linod.sock'), 'mine');
  const second = await other.startWorker();
  await second.printed(/no log socket at \S+: something else is there/);
  second.kill('SIGTERM');
  t.match(await second.ended(), { code: 0 });
  const off = new LiveSite(t, { logSocket: '' });
  const third = await off.startWorker();
  t.throws(() => statSync(off.path('linod.sock')), { code: 'ENOENT' });
  third.kill('SIGTERM');
  await third.ended();
});
