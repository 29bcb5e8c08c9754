import { chownSync, statSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { WakeFile, wakeFilePath } from '../../../../channels/layers/sqlite/wake-file.js';
import { testDirectory } from '../../../support/directory.js';
import { until } from '../../../support/until.js';

t.test('who watches is woken by each write', async (t) => {
  const path = join(testDirectory(t), 'channels.db');
  writeFileSync(path, '');
  const wakeFile = new WakeFile(path);
  t.teardown(() => wakeFile.close());
  let woken = 0;
  const watcher = watch(wakeFilePath(path), () => woken++);
  t.teardown(() => watcher.close());
  for (let i = 0; i < 3; i++) {
    const before = woken;
    wakeFile.wake();
    await until('the watcher is woken', () => woken > before);
  }
});

const isRoot = process.geteuid?.() === 0;
const skip = isRoot ? false : 'only root can give files away';

t.test('a wake file that root makes belongs to the owner of the database', { skip }, async (t) => {
  const path = join(testDirectory(t, { 'channels.db': '' }), 'channels.db');
  chownSync(path, 65_534, 65_534);
  new WakeFile(path).close();
  t.match(statSync(wakeFilePath(path)), { uid: 65_534, gid: 65_534 });
});
