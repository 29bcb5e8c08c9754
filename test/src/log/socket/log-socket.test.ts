// The site's socket, with a sender that writes nothing down.

import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../../../src/base/clock.js';
import { LevelTree } from '../../../../src/log/levels/level-tree.js';
import { LogSocket } from '../../../../src/log/socket/log-socket.js';
import { testDirectory } from '../../../support/directory.js';
import { until } from '../../../support/until.js';

t.test(
  'a line that nothing follows is not held back, the first on a connection or a later one',
  async (t) => {
    const path = join(testDirectory(t), 'log.sock');
    const texts: string[] = [];
    const sender = {
      write: (_level: string, _logger: string, text: string) => void texts.push(text),
      flush: async () => {},
      spooled: { diskBytes: 0, diskLimitBytes: 2 ** 20, memoryBytes: 0 },
    };
    const socket = new LogSocket({
      ...{ path, mode: 0o600, sender, levels: new LevelTree({}), clock: systemClock },
      onTrouble: (error) => t.fail(String(error)),
    });
    await socket.start();
    t.teardown(() => socket.stop());
    const client = connect(path);
    t.teardown(() => client.destroy());
    await once(client, 'connect');
    for (const text of ['one', 'two', 'three']) {
      client.write(`${text}\n`);
      await until(`${text} is written`, () => texts.includes(text));
    }
    client.write('four\n  goes on\n');
    await until('a record of two lines is written', () => texts.length === 4);
    t.same(texts, ['one', 'two', 'three', 'four\n  goes on']);
  },
);
