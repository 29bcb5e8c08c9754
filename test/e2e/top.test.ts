// linod channels top: in a pipe, as lines of JSON, and in a terminal.

import t, { type Test } from 'tap';
import { LiveSite, onBothLayers } from '../support/live-site.js';
import { eventually, scriptPath } from '../support/programs.js';
import { RedisServer } from '../support/redis.js';
import { noTerminal, Terminal } from '../support/terminal.js';

onBothLayers('top prints a table or a line of JSON at each look', async (t, { config }) => {
  const site = new LiveSite(t, config);
  await site.linod('channels', 'send', 'mail', '--type', 'x');
  const table = await site.linod('channels', 'top', '--count', '2', '--every', '0.2');
  t.match(table.split('\n'), [
    /^time +channel +depth .* sent\/s /,
    /^\d\d:\d\d:\d\d +mail +1 +1 % .* - /,
    /^time /,
    /^\d\d:\d\d:\d\d +mail +1 +1 % .* 0 /,
    '',
  ]);
  const top = site.start('linod', 'channels', 'top', '--json', '--every', '0.1');
  await top.printed(/^{/);
  await site.linod('channels', 'send', 'mail', '--type', 'x');
  await top.printed((line) => {
    const [mail] = JSON.parse(line).channels;
    return mail.depth === 2 && mail.rates.sent > 0;
  });
  top.kill('SIGTERM');
  t.match(await top.ended(), { code: 0, stderr: '' });
});

t.test('top goes on while Redis is away', async (t) => {
  const server = await RedisServer.start(t);
  const site = new LiveSite(t, { channelLayer: server.url });
  const top = site.start('linod', 'channels', 'top', '--json', '--every', '0.1');
  await top.printed(/^{/);
  await server.stop();
  await top.printed(/^Redis at .* cannot be reached/);
  const before = top.lines.filter((line) => line.startsWith('{')).length;
  await server.restart();
  await eventually('it looks again', () => top.lines.filter((line) => line.startsWith('{')).length > before);
  top.kill('SIGINT');
  t.match(await top.ended(), { code: 0 });
});

t.test('top ends with the reader of its pipe', async (t) => {
  const site = new LiveSite(t);
  const top = site.start('linod', 'channels', 'top', '--json', '--every', '0.1');
  await top.printed(/^{/);
  top.hangUp();
  t.match(await top.ended(), { code: 0 });
});

t.test('in a terminal', { skip: noTerminal() }, async (t) => {
  const site = new LiveSite(t);
  for (const channel of ['mail', 'fax', 'post', 'wire'])
    await site.linod('channels', 'send', channel, '--type', 'x');
  const top = (t: Test, rows: number) =>
    Terminal.start(t, scriptPath('linod'), ['channels', 'top', '--every', '0.2'], {
      cwd: site.directory,
      rows,
    });
  const [taken, givenBack] = ['\x1b[?1049h', '\x1b[?1049l'];

  for (const [name, keys] of [
    ['q', 'q'],
    ['Ctrl-C', '\x03'],
  ] as const) {
    await t.test(`top shows the channels until ${name}, and gives the terminal back`, async (t) => {
      const terminal = top(t, 20);
      await terminal.shows(
        /linod channels .* every 0\.2 s\n4 channels, .*\nchannel .*sent\/s.*\n(.*\n)*mail +1 /,
      );
      t.match(terminal.output, taken);
      t.notMatch(terminal.output, givenBack);
      terminal.type(keys);
      t.equal(await terminal.ended(), 0);
      t.match(terminal.output.slice(-20), givenBack);
    });
  }

  await t.test('top shows that Redis hangs, and gives the terminal back', async (t) => {
    const server = await RedisServer.start(t);
    const site = new LiveSite(t, { channelLayer: server.url });
    const terminal = Terminal.start(t, scriptPath('linod'), ['channels', 'top', '--every', '0.1'], {
      cwd: site.directory,
    });
    await terminal.shows(/no channels/);
    server.pause();
    await terminal.shows(/Redis at .* cannot be reached: no reply came within 5000 ms/);
    terminal.type('q');
    t.equal(await terminal.ended(), 0);
    t.match(terminal.output.slice(-20), givenBack);
  });

  await t.test('top fits into what the terminal is resized to', async (t) => {
    const terminal = top(t, 20);
    await terminal.shows(/\nwire /);
    terminal.resize(6);
    await terminal.shows(/… and 3 more/);
    terminal.resize(30);
    await terminal.shows(/\nwire /);
    terminal.type('q');
    t.equal(await terminal.ended(), 0);
  });
});
