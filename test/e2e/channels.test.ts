// linod channels, as a person at a terminal and a script use it.

import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type ChannelLayer, openLayer } from '../../channels/index.js';
import { LiveSite, onBothLayers } from '../support/live-site.js';
import { eventually, Program, scriptPath } from '../support/programs.js';
import { freePort, RedisServer } from '../support/redis.js';

const anId = /^[\da-f]{16}$/;

/** The site's layer, for an application beside the commands. */
async function layerOf(t: Test, site: LiveSite, channelLayer: unknown): Promise<ChannelLayer> {
  const layer = await openLayer(
    typeof channelLayer === 'string' ? channelLayer : `sqlite:${site.path('channels.db')}`,
  );
  t.teardown(() => layer.close());
  return layer;
}

onBothLayers('what waits is listed, looked at and stays, while no worker runs', async (t, { config }) => {
  const site = new LiveSite(t, config);
  t.match(await site.run('linod', 'channels'), {
    code: 0,
    stdout: '',
    stderr: /^no channels: nothing waits/,
  });
  t.match(await site.run('linod', 'channels', 'peek', 'mail'), {
    code: 0,
    stdout: '',
    stderr: 'nothing waits on mail\n',
  });
  const first = (
    await site.linod('channels', 'send', 'mail', '{"type":"mail.send","to":"ann\\u001b[2J"}')
  ).trim();
  t.match(first, anId);
  t.match((await site.linod('channels', 'send', 'mail', '--type', 'mail.flush')).trim(), anId);
  const piped = site.start('linod', 'channels', 'send', 'mail', '-', '--type', 'mail.send');
  piped.endInput('{\n  "to": "bob"\n}\n');
  t.match(await piped.ended(), { code: 0, stdout: /^[\da-f]{16}\n$/, stderr: '' });

  const { channels } = JSON.parse(await site.linod('channels', '--json'));
  t.match(channels, [{ channel: 'mail', depth: 3, capacity: 100, receivers: 0, sent: 3, received: 0 }]);
  t.match(
    await site.linod('channels'),
    /^channel +depth +fill .*\nmail +3 +3 % of 100 .* 0 +0 +3 +0 +0 +0 +0\n$/,
  );

  for (const look of ['first', 'second']) {
    const table = await site.linod('channels', 'peek', 'mail');
    t.match(table.split('\n'), [
      /^id +age +deliveries +bytes +message$/,
      new RegExp(`^${first} .* \\{"type":"mail.send","to":"ann\\\\u001b\\[2J"\\}$`),
      / \{"type":"mail\.flush"\}$/,
      / \{"to":"bob","type":"mail\.send"\}$/,
      '',
    ]);
    t.notMatch(table, '\x1b', look);
  }
  const peeked = JSON.parse(await site.linod('channels', 'peek', 'mail', '--max', '1', '--json'));
  t.match(peeked, [{ id: first, message: { to: 'ann\u001b[2J' }, deliveries: 0 }]);
  t.equal(peeked.length, 1);

  const layer = await layerOf(t, site, config.channelLayer);
  t.match(await layer.receive('mail'), { to: 'ann\u001b[2J' }, 'it was taken by nobody');
  const leased = await layer.receive('mail', { lease: 60_000 });
  t.match(
    await site.linod('channels', 'peek', 'mail', '--on-lease'),
    /lease ends.*\n.* in \d.* 1 .*mail\.flush/,
  );
  await leased.ack();
});

onBothLayers('a full channel refuses a message, and that can be seen', async (t, { config }) => {
  const site = new LiveSite(t, config);
  const layer = await layerOf(t, site, config.channelLayer);
  await layer.sendMany(
    'mail',
    Array.from({ length: 100 }, () => ({ type: 'x' })),
  );
  t.match(await site.run('linod', 'channels', 'send', 'mail', '--type', 'x'), {
    code: 1,
    stdout: '',
    stderr: 'linod: channel "mail" is full: capacity is 100 messages\n',
  });
  await eventually('it is counted', async () => {
    const { channels } = JSON.parse(await site.linod('channels', '--json'));
    const [mail] = channels;
    return mail?.depth === 100 && mail.sent === 100 && mail.refused === 1;
  });
  t.match(await site.linod('channels'), /\nmail +100 +100 % of 100 /);
});

onBothLayers("a worker's messages can be followed", async (t, { config }) => {
  const site = new LiveSite(t, config);
  const worker = await site.startWorker();
  const id = (await site.linod('channels', 'send', 'linod_test', '--type', 'rules.changed')).trim();
  const way = await site.linod('channels', 'trace', id);
  t.match(way, /^\S+ {2}sent to linod_test by linod\S*\[\d+\] on \S+\n/);
  t.match(way, new RegExp(`\\n\\S+  received from linod_test by runworker\\S*\\[${worker.pid}\\] on `));
  t.match(JSON.parse(await site.linod('channels', 'trace', id, '--json')), {
    id,
    events: [{ event: 'sent' }, { event: 'received', process: { pid: worker.pid } }],
    silent: [],
  });
  await eventually('its end is told', async () =>
    /\n\S+ {2}handled in runworker.*\nit was handled; that is the end of it\n$/.test(
      await site.linod('channels', 'trace', id),
    ),
  );
  await eventually('the worker is counted as a receiver', async () => {
    const { channels } = JSON.parse(await site.linod('channels', '--json'));
    const own = channels.find((figures: { channel: string }) => figures.channel === 'linod_test');
    return own?.receivers === 1 && own.received === 1;
  });
  await eventually('it is in the group of workers', async () =>
    /^group +member +last renewed\nlinod_test\.workers +linod\.\S+!\S+ +\d.* ago\n$/.test(
      await site.linod('channels', 'groups', 'linod_test.workers'),
    ),
  );
  t.match(await site.run('linod', 'channels', 'groups', 'nosuch'), {
    code: 0,
    stdout: '',
    stderr: 'nobody is in group nosuch\n',
  });
  worker.kill('SIGTERM');
  await worker.ended();
  t.match(await site.run('linod', 'channels', 'trace', '0123456789abcdef'), {
    code: 1,
    stdout: '',
    stderr: /^nothing is known of message 0123456789abcdef: .*\n$/,
  });
});

t.test('what is wrong with the words is told in one line, with 2', async (t) => {
  const site = new LiveSite(t);
  const wrong: ReadonlyArray<[words: readonly string[], message: string | RegExp]> = [
    [['pek'], 'linod: there is no command "pek", did you mean "peek"?'],
    [['peek'], "error: missing required argument 'channel'"],
    [['peek', 'bad name'], /^linod: channel name must be .*, got: "bad name"$/],
    [['peek', 'mail', '--max', '0'], 'linod: expected --max to be a positive whole number, got: "0"'],
    [['send', 'mail'], /^linod: expected the message to have a type that is text/],
    [['send', 'mail', '{"type":"x",}'], /^linod: the message is no JSON, at character 13: /],
    [['send', 'mail', '[]'], 'linod: expected the message to be a JSON object, got: a list'],
    [['send', 'mail', '{"type":"x","__asgi_channel__":1}'], /^linod: expected a message without the key/],
    [
      ['send', 'mail', '{"type":"x"}', '--type', 'y'],
      'linod: the message has the type "x", and --type says "y"',
    ],
    [['trace', 'xyz'], 'linod: expected id to be 16 hexadecimal digits, got: "xyz"'],
    [['groups', 'a!b'], /^linod: group name must be .*, got: "a!b"$/],
    [['top', '--every', '0'], 'linod: expected --every to be a number of seconds from 0.1 to 3600, got: "0"'],
    [['top', '--count', 'x'], 'linod: expected --count to be a positive whole number, got: "x"'],
    [['--nosuch'], "error: unknown option '--nosuch'"],
    [['--layer', 'memory:'], /^linod: the command line: channelLayer: expected a URL .*, got: "memory:"$/],
  ];
  for (const [words, message] of wrong) {
    const { code, stdout, stderr } = await site.run('linod', 'channels', ...words);
    t.match(
      { code, stdout, stderr: stderr.trimEnd() },
      { code: 2, stdout: '', stderr: message },
      words.join(' '),
    );
    t.equal(stderr.trimEnd().split('\n').length, 1);
  }
  const piped = site.start('linod', 'channels', 'send', 'mail', '-');
  piped.endInput('{\n"type": "x"\n"n": 1}');
  t.match(await piped.ended(), {
    code: 2,
    stderr: /^linod: standard input is no JSON, at line 3, character 1: /,
  });
});

t.test('without Redis every one of the commands says so in one line, with 1', async (t) => {
  const site = new LiveSite(t, { channelLayer: `redis://127.0.0.1:${await freePort()}` });
  for (const words of [
    '',
    'peek mail',
    'send mail --type x',
    'groups',
    'trace 0123456789abcdef',
    'top',
    'top --json',
  ]) {
    const { code, stdout, stderr } = await site.run('linod', 'channels', ...words.split(' ').filter(Boolean));
    t.match({ code, stdout }, { code: 1, stdout: '' }, words);
    t.match(stderr, /^linod: Redis at 127\.0\.0\.1:\d+ cannot be reached: .*\n$/, words);
  }
});

t.test('outside of a site a layer can be named', async (t) => {
  const cwd = realpathSync(mkdtempSync(join(tmpdir(), 'linod-')));
  t.teardown(() => rmSync(cwd, { recursive: true, force: true }));
  const server = await RedisServer.start(t);
  const linod = (...words: string[]) => Program.start(t, scriptPath('linod'), words, { cwd }).ended();
  for (const layer of [server.url, 'sqlite:channels.db']) {
    t.match(await linod('channels', 'send', 'mail', '--type', 'x', '--layer', layer), { code: 0 });
    const { stdout } = await linod('channels', '--layer', layer, 'peek', 'mail', '--json');
    t.match(JSON.parse(stdout), [{ message: { type: 'x' } }], layer);
  }
  t.match(await linod('channels'), { code: 2, stderr: /^linod: no linod\.config\.ts/ });
  t.match(await linod('channels', '--layer', 'amqp://me:sesame@host'), {
    code: 2,
    stderr: /^linod: expected --layer to be a URL that begins with .*, got: "amqp:\/\/me:\*\*\*@host"\n$/,
  });
});
