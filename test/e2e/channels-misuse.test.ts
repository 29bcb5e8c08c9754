// linod channels, told the wrong words, without Redis, or outside of a site.

import { readdirSync } from 'node:fs';
import t from 'tap';
import { testDirectory } from '../support/directory.js';
import { LiveSite } from '../support/live-site.js';
import { Program, scriptPath } from '../support/programs.js';
import { freePort, RedisServer } from '../support/redis.js';

t.test('what is wrong with the words is told in one line, with 2', async (t) => {
  const site = new LiveSite(t);
  const wrong: ReadonlyArray<[words: readonly string[], message: string | RegExp]> = [
    [['pek'], 'linod: there is no command "pek", did you mean "peek"?'],
    [['peek'], "error: missing required argument 'channel'"],
    [['send', 'mail', '{"type":"x",}'], /^linod: the message is no JSON, line 1: /],
    [['send', 'mail', '{"type":"x","__asgi_channel__":1}'], /^linod: expected a message without the key/],
    [['redrive'], "error: missing required argument 'channel'"],
    [['groups', 'a!b'], /^linod: group name must be .*, got: "a!b"$/],
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
    stderr: /^linod: standard input is no JSON, line 3: /,
  });
});

t.test('without Redis every one of the commands says so in one line, with 1', async (t) => {
  const site = new LiveSite(t, { channelLayer: `redis://127.0.0.1:${await freePort()}` });
  const commands = ['', 'peek mail', 'send mail --type x', 'groups', 'dead', 'redrive mail'];
  await Promise.all(
    commands.map(async (words) => {
      const ended = await site.run('linod', 'channels', ...words.split(' ').filter(Boolean));
      const stderr = /^linod: Redis at 127\.0\.0\.1:\d+ cannot be reached: .*\n$/;
      t.match(ended, { code: 1, stdout: '', stderr }, words);
    }),
  );
});

t.test('outside of a site a layer can be named', async (t) => {
  const cwd = testDirectory(t);
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

t.test('looking at a SQLite layer that is not there says so, and makes no file', async (t) => {
  const site = new LiveSite(t);
  for (const words of [[], ['peek', 'mail']])
    t.match(await site.run('linod', 'channels', ...words, '--layer', 'sqlite:mistyped.db'), {
      code: 1,
      stdout: '',
      stderr: /^linod: there is no channel layer at ".*mistyped\.db": no such file\n$/,
    });
  t.same(
    readdirSync(site.directory).filter((name) => name.startsWith('mistyped')),
    [],
  );
  await site.linod('channels', 'send', 'mail', '--type', 'x', '--layer', 'sqlite:mistyped.db');
  t.match(await site.linod('channels', '--layer', 'sqlite:mistyped.db'), /\nmail +1 /);
});
