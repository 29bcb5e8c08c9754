// What closing leaves behind.

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { bells, doorbellPath } from '../../channels/layers/sqlite/doorbell.js';
import { SqliteChannelLayer } from '../../channels/layers/sqlite.js';
import { testDirectory } from '../support/directory.js';

t.test('closing makes no new file where the old one was deleted', async (t) => {
  const path = join(testDirectory(t), 'layer.db');
  const layer = new SqliteChannelLayer({ path });
  await layer.send('chat', { type: 'x' });
  for (const name of [path, `${path}-wal`, `${path}-shm`, ...bells.map((bell) => doorbellPath(path, bell))])
    rmSync(name, { force: true });
  await layer.close();
  t.notOk(existsSync(path));
});
