// linod channels, as a person at a terminal and a script use it.

import type { Test } from 'tap';
import { type ChannelLayer, openLayer } from '../../channels/index.js';
import { LiveSite, onBothLayers } from '../support/live-site.js';
import { eventually } from '../support/programs.js';

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
    stderr: 'no messages on any channel\n',
  });
  t.match(await site.run('linod', 'channels', 'peek', 'mail'), {
    code: 0,
    stdout: '',
    stderr: 'no messages waiting on mail\n',
  });
  await site.linod('channels', 'send', 'mail', '{"type":"mail.send","to":"ann\\u001b[2J"}');
  t.equal(await site.linod('channels', 'send', 'mail', '--type', 'mail.flush'), '');
  const piped = site.start('linod', 'channels', 'send', 'mail', '-', '--type', 'mail.send');
  piped.endInput('{\n  "to": "bob"\n}\n');
  t.match(await piped.ended(), { code: 0, stdout: '', stderr: '' });

  // All at once: on a busy machine, one after the other could take as long as the messages last.
  const [json, overview, peeked, ...tables] = await Promise.all([
    site.linod('channels', '--json'),
    site.linod('channels'),
    site.linod('channels', 'peek', 'mail', '--max', '1', '--json'),
    site.linod('channels', 'peek', 'mail'),
    site.linod('channels', 'peek', 'mail'),
  ]);
  t.match(JSON.parse(json).channels, [{ channel: 'mail', depth: 3, capacity: 100, onLease: 0, dead: 0 }]);
  t.match(overview, /^channel +depth +fill .*\nmail +3 +3 % of 100 .* 0 +0\n$/);
  for (const table of tables) {
    t.match(table.split('\n'), [
      /^ *age +deliveries +bytes +message$/,
      / \{"type":"mail\.send","to":"ann\\u001b\[2J"\}$/,
      / \{"type":"mail\.flush"\}$/,
      / \{"to":"bob","type":"mail\.send"\}$/,
      '',
    ]);
    t.notMatch(table, '\x1b');
  }
  const looked = JSON.parse(peeked);
  t.match(looked, [{ message: { to: 'ann\u001b[2J' }, deliveries: 0 }]);
  t.equal(looked.length, 1);

  const layer = await layerOf(t, site, config.channelLayer);
  t.match(await layer.receive('mail'), { to: 'ann\u001b[2J' }, 'it was taken by nobody');
  const leased = await layer.receive('mail', { lease: 3_600_000 });
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
  t.match(await site.linod('channels'), /\nmail +100 +100 % of 100 /);
});

onBothLayers('a worker takes what is sent by hand, and is in the group of workers', async (t, { config }) => {
  const site = new LiveSite(t, config);
  const worker = await site.startWorker();
  await site.linod('channels', 'send', 'linod_test', '--type', 'rules.changed');
  await eventually('it is taken', async () => {
    const { channels } = JSON.parse(await site.linod('channels', '--json'));
    return channels.every((figures: { channel: string }) => figures.channel !== 'linod_test');
  });
  await eventually('it is in the group of workers', async () =>
    /^group +member +last renewed\nlinod_test\.workers +linod\.\S+!\S+ +\d.* ago\n$/.test(
      await site.linod('channels', 'groups', 'linod_test.workers'),
    ),
  );
  t.match(await site.run('linod', 'channels', 'groups', 'nosuch'), {
    code: 0,
    stdout: '',
    stderr: 'group nosuch has no members\n',
  });
  worker.kill('SIGTERM');
  await worker.ended();
});
